/** How well a ranking finds the one right answer of each question. */
export interface Quality {
  "recall@1": number;
  "recall@5": number;
  mrr: number;
  ms_per_question: number;
}

/** Asks every question, one after the other, and scores the place of its right answer among the first ten. */
export async function assess<Question, Answer>(
  questions: readonly { question: Question; answer: Answer }[],
  rank: (question: Question) => Answer[] | Promise<Answer[]>,
): Promise<Quality> {
  let first = 0, among = 0, reciprocal = 0;
  const started = performance.now();
  for (const { question, answer } of questions) {
    const place = (await rank(question)).slice(0, 10).indexOf(answer);
    if (place === 0) first++;
    if (place >= 0 && place < 5) among++;
    if (place >= 0) reciprocal += 1 / (place + 1);
  }
  const count = questions.length;
  return {
    "recall@1": round(first / count, 4),
    "recall@5": round(among / count, 4),
    mrr: round(reciprocal / count, 4),
    ms_per_question: round((performance.now() - started) / count, 2),
  };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
