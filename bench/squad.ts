import { z } from "zod";

/** SQuAD 1.1: articles of paragraphs, each with its questions. Answers are not needed to measure retrieval. */
const Squad = z.object({
  data: z.array(z.object({
    title: z.string().optional(),
    paragraphs: z.array(z.object({
      context: z.string(),
      qas: z.array(z.object({ question: z.string() })),
    })),
  })),
});

/** A text to store, and the questions that it answers. */
export interface Paragraph {
  title: string;
  text: string;
  questions: string[];
}

/**
 * Reads the paragraphs of a SQuAD 1.1 file; the same text twice is one paragraph with the questions of both.
 * `sample` keeps that many paragraphs, spread evenly over the file.
 */
export async function readSquad(file: string, sample?: number): Promise<Paragraph[]> {
  const { data } = Squad.parse(JSON.parse(await Deno.readTextFile(file)));
  const byText = new Map<string, Paragraph>();
  for (const article of data) {
    for (const { context, qas } of article.paragraphs) {
      const paragraph = byText.get(context) ??
        { title: article.title ?? "Untitled", text: context, questions: [] };
      paragraph.questions.push(...qas.map((qa) => qa.question));
      byText.set(context, paragraph);
    }
  }
  const all = [...byText.values()];
  if (!sample || sample >= all.length) return all;
  return Array.from({ length: sample }, (_, index) => all[Math.floor(index * all.length / sample)]!);
}
