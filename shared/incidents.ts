import type { Deps } from "./deps.ts";
import type { Rpc } from "./rpc.ts";

type Incident = Parameters<Rpc["reportIncident"]>[0];

// What this process has reported within the hour. A flood of refusals must not become a flood of writes.
const reported = new WeakMap<Pick<Rpc, "reportIncident">, { hour: number; subjects: Set<string> }>();
const maxSubjects = 10_000;

/** Reports an incident, at most once per kind, severity, subject and hour from this process; the database keeps one row. */
export async function reportIncident(deps: Pick<Deps, "rpc" | "now">, incident: Incident): Promise<void> {
  const hour = Math.floor(deps.now().getTime() / 3_600_000);
  let seen = reported.get(deps.rpc);
  if (seen?.hour !== hour || seen.subjects.size >= maxSubjects) {
    seen = { hour, subjects: new Set() };
    reported.set(deps.rpc, seen);
  }
  const name = `${incident.kind} ${incident.severity} ${incident.subject}`;
  if (seen.subjects.has(name)) return;
  seen.subjects.add(name);
  await deps.rpc.reportIncident(incident);
}
