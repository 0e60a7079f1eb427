let last: Promise<unknown> = Promise.resolve();

/**
 * Runs work of the PDF reader, one at a time so that none pays for another, and rejects with what `stop` returns when it
 * takes longer than so many milliseconds.
 *
 * The reader goes on from one part of a page to the next without leaving the event loop a turn, so no timer would end
 * it. It does look at the clock all the time, which is where the deadline is checked as well.
 */
export function withDeadline<T>(
  milliseconds: number,
  stop: () => unknown,
  work: () => Promise<T>,
): Promise<T> {
  const run = last.then(() => timed(milliseconds, stop, work));
  last = run.catch(() => {});
  return run;
}

async function timed<T>(milliseconds: number, stop: () => unknown, work: () => Promise<T>): Promise<T> {
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const end = performance.now() + milliseconds;
  let isOver = false;
  const expire = () => {
    if (isOver) return;
    isOver = true;
    reject(stop());
  };
  const timer = setTimeout(expire, milliseconds);
  const clock = Date, { now } = clock;
  clock.now = () => {
    if (performance.now() >= end) expire();
    return now.call(clock);
  };
  try {
    return await Promise.race([work(), stopped]);
  } finally {
    isOver = true;
    clock.now = now;
    clearTimeout(timer);
  }
}
