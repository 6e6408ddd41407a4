/** Names that the evaluator gives a meaning of its own wherever it meets them, and the one that changes prototypes. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set([
  '__proto__',
  '_jsonata_function',
  '_jsonata_lambda',
  'outerWrapper',
  'tupleStream',
]);
