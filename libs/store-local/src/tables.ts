/** The tables of the data file. A number stands for one kind of value for ever: files of earlier versions have them. */
export const TABLES = {
  sessionHeads: 1,
  lastSequences: 2,
  queues: 3,
  subscriptions: 4,
  received: 5,
  released: 6,
  retained: 7,
  rules: 8,
  ruleRevisions: 9,
  delayed: 10,
  wills: 11,
  exclusiveHolds: 12,
  remembered: 13,
  delayedIdentities: 14,
  connectors: 15,
  connectorRevisions: 16,
} as const;
