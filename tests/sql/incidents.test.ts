import { assertEquals } from "@std/assert";
import { rolledBack } from "./rolled-back.ts";

rolledBack(
  "an incident is one row per kind, subject and hour, counted, as grave as its gravest",
  async (session) => {
    const report = (kind: string, severity: string, subject: string) =>
      session.query("select public.report_incident($1, $2, $3)", [kind, severity, subject]);
    for (const severity of ["medium", "critical", "low"]) await report("injection", severity, "session:1");
    await report("disclosure", "high", "session:1");
    await report("injection", "low", "session:2");
    assertEquals(
      await session.query(
        "select kind, subject, severity, count from public.security_incidents order by kind, subject",
      ),
      [
        { kind: "disclosure", subject: "session:1", severity: "high", count: 1 },
        { kind: "injection", subject: "session:1", severity: "critical", count: 3 },
        { kind: "injection", subject: "session:2", severity: "low", count: 1 },
      ],
    );
  },
);
