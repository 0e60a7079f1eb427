/**
 * Plain Okapi BM25 (k1 = 1.2, b = 0.75) over lower-cased words, without stems or stop words: the yardstick
 * that any search engine offers without being set up. Robertson and Zaragoza, "The Probabilistic Relevance
 * Framework: BM25 and Beyond", 2009; inverse document frequency as Lucene has it, so that it is never negative.
 */
export function bm25(texts: readonly string[]): (query: string, count: number) => number[] {
  const k1 = 1.2, b = 0.75;
  const documents = texts.map(words);
  const average = documents.reduce((total, document) => total + document.length, 0) / documents.length;
  const postings = new Map<string, Map<number, number>>();
  documents.forEach((document, index) => {
    for (const word of document) {
      const counts = postings.get(word) ?? new Map<number, number>();
      counts.set(index, (counts.get(index) ?? 0) + 1);
      postings.set(word, counts);
    }
  });
  return (query, count) => {
    const scores = new Map<number, number>();
    for (const word of new Set(words(query))) {
      const counts = postings.get(word);
      if (!counts) continue;
      const idf = Math.log(1 + (documents.length - counts.size + 0.5) / (counts.size + 0.5));
      for (const [index, frequency] of counts) {
        const length = 1 - b + b * documents[index]!.length / average;
        const weight = frequency * (k1 + 1) / (frequency + k1 * length);
        scores.set(index, (scores.get(index) ?? 0) + idf * weight);
      }
    }
    return [...scores].sort((a, z) => z[1] - a[1] || a[0] - z[0]).slice(0, count).map(([index]) => index);
  };
}

function words(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}
