/** The mechanisms offered, the cheapest for the server first. Channel binding (`-PLUS`) is not. */
export const SCRAM_MECHANISMS = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;

/** A SCRAM mechanism, which is also an authentication method of MQTT 5. */
export type ScramMechanism = (typeof SCRAM_MECHANISMS)[number];

/** Bytes of the hash of each mechanism. */
export const HASH_BYTES: Readonly<Record<ScramMechanism, number>> = {
  'SCRAM-SHA-256': 32,
  'SCRAM-SHA-512': 64,
};

/** Whether an authentication method is one of ours. */
export function isScramMechanism(method: string): method is ScramMechanism {
  return SCRAM_MECHANISMS.some((mechanism) => mechanism === method);
}
