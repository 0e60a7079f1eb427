/** An agent of the demo, with the handbook it answers from. */
export interface DemoAgent {
  language: "en" | "fr";
  name: string;
  description: string;
  instructions: string;
  document: { title: string; file: string };
  /** A question the handbook answers, for the printed example. */
  question: string;
}

/** The two agents of the demo; both companies are invented. */
export const demoAgents: DemoAgent[] = [
  {
    language: "en",
    name: "Harbour Tools",
    description: "Answers the customers of a tool hire shop.",
    instructions:
      "You answer customers of Harbour Tools, a tool hire shop in Whitby. Answer from the handbook, " +
      "briefly and kindly. When the handbook does not say, say so and name the counter's telephone number.",
    document: { title: "Harbour Tools customer handbook", file: "handbook.en.md" },
    question: "How much is the deposit for a machine?",
  },
  {
    language: "fr",
    name: "Vélo Lumière",
    description: "Répond aux clients d'un loueur de vélos.",
    instructions:
      "Tu réponds aux clients de Vélo Lumière, loueur de vélos à La Rochelle. Réponds d'après le guide, " +
      "brièvement et aimablement. Si le guide ne le dit pas, dis-le et donne le numéro de téléphone de la boutique.",
    document: { title: "Guide du client de Vélo Lumière", file: "handbook.fr.md" },
    question: "Quelle est la caution pour un vélo électrique ?",
  },
];

/**
 * The model of a new demo agent: the product's own default, which the offline model stands in for while no provider
 * has a key. With the key of another provider alone nothing would, so then it is the offline model by name.
 */
export function demoModel(env: Record<string, string>): { model?: string } {
  const others = env.OPENAI_API_KEY?.trim();
  return others && !env.MISTRAL_API_KEY?.trim() ? { model: "local/extractive" } : {};
}
