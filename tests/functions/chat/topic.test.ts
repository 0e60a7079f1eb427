import { assert, assertEquals } from "@std/assert";
import { nextTopic, type Topic, type TopicTurn } from "../../../functions/chat/memory/topic.ts";

/** Asks one question after the other. */
function ask(questions: string[], lockTurns: number | null = 3, previous: Topic | null = null): TopicTurn {
  let turn: TopicTurn = { topic: previous, isLocked: false, isAmbiguous: false };
  for (const question of questions) turn = nextTopic(turn.topic, question, lockTurns);
  return turn;
}

const conversations = {
  en: [
    "How much is the mini digger?",
    "Which card do I need for the digger?",
    "Is the digger delivered?",
  ],
  fr: ["Combien coûte le Cargo ?", "Quelle caution pour le Cargo ?", "Le Cargo est-il électrique ?"],
};
const clear = {
  en: [
    "How do I open a business account?",
    "Do you give training on Saturdays?",
    "Another question: parking?",
  ],
  fr: [
    "Où se trouve la boutique de la gare ?",
    "Faites-vous des balades accompagnées ?",
    "Autre question : les chiens ?",
  ],
};
const vague = {
  en: ["How long?", "Is there a guarantee?", "Thanks!", "What about Sunday?", "And the deposit?"],
  fr: ["Combien de temps ?", "Y a-t-il une garantie ?", "Merci !", "Et le dimanche ?", "Et la remise ?"],
};

for (const language of ["en", "fr"] as const) {
  const lead = conversations[language];

  Deno.test(`the first question begins a topic, and what shares a word with it goes on (${language})`, () => {
    assertEquals(ask(lead.slice(0, 1)).topic?.turns, 1);
    assertEquals(ask(lead).topic?.turns, 3);
    assert(ask(lead).topic!.words.includes(language === "en" ? "digger" : "cargo"));
  });

  Deno.test(`after three turns the agent stays on the topic while questions are vague (${language})`, () => {
    const { topic } = ask(lead);
    for (const question of vague[language]) {
      const turn = nextTopic(topic, question, 3);
      assert(turn.isLocked && turn.isAmbiguous, question);
      assertEquals(turn.topic!.words.slice(0, 2), topic!.words.slice(0, 2), question);
    }
  });

  Deno.test(`a clear change begins a new topic, locked or not (${language})`, () => {
    for (const questions of [lead.slice(0, 1), lead]) {
      for (const question of clear[language]) {
        const turn = ask([...questions, question]);
        assertEquals([turn.isLocked, turn.topic!.turns], [false, 1], question);
        assert(!turn.topic!.words.includes(language === "en" ? "digger" : "cargo"), question);
      }
    }
  });

  Deno.test(`before it is locked, one other word changes the topic (${language})`, () => {
    const { topic, isLocked } = ask([...lead.slice(0, 2), vague[language][1]!]);
    assertEquals([topic!.turns, topic!.words.length, isLocked], [1, 1, false]);
  });

  Deno.test(`without a lock one other word changes the topic, however long it has been (${language})`, () => {
    const { topic, isLocked } = ask([...lead, ...lead, vague[language][1]!], null);
    assertEquals([topic!.words.length, isLocked], [1, false]);
  });
}

Deno.test("the topic is what is asked, not what is told beside it", () => {
  assertEquals(ask(["Hello, my name is Zoe. How heavy is the digger?"]).topic!.words, ["heavy", "digger"]);
  assertEquals(ask(["The digger is broken."]).topic!.words, ["digger", "broken"]);
});

Deno.test("the lock begins with the turn after the last of lockTurns", () => {
  const questions = conversations.en;
  assertEquals([1, 2, 3, 4].map((turns) => ask([...questions, questions[0]!].slice(0, turns)).isLocked), [
    false,
    false,
    false,
    true,
  ]);
  assertEquals(ask(questions.slice(0, 2), 1).isLocked, true);
});

Deno.test("thanks and greetings are no turn, and begin no topic", () => {
  assertEquals(ask(["Hello", "Bonjour !", "Merci beaucoup"]).topic, null);
  assertEquals(ask([conversations.en[0]!, "Thank you", "OK", "How much?"]).topic?.turns, 2);
});

Deno.test("a topic keeps the words it began with and the newest, eight at most", () => {
  const words = Array.from({ length: 20 }, (_, n) => `digger ${"bcdfghjklmnpqrstvwxz"[n]!.repeat(2)}ore`);
  const { topic } = ask(["mini digger trailer", ...words]);
  assertEquals(topic!.words.length, 8);
  assertEquals(topic!.words.slice(0, 3), ["mini", "digger", "trailer"]);
});

Deno.test("the previous topic is not changed", () => {
  const previous = Object.freeze({ words: Object.freeze(["digger"]) as string[], turns: 3 });
  nextTopic(previous, "Is the digger heavy?", 3);
});
