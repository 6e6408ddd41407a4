/** What one evaluation may take. An evaluation that asks for more ends with a fault; nothing of it is kept. */
export interface TransformLimits {
  /** Most steps: one for every node of the expression that is evaluated, and one for each 128 bytes that a function or an operator has to touch. */
  readonly stepsMax: number;
  /** Most milliseconds of the processor; how long a pause is does not matter. Steps are counted first: the clock is read every few hundred of them, so short evaluations never read it. */
  readonly timeMsMax: number;
  /** Largest text, array or object that may come up, in bytes of JSON; the payload and the result are among them. */
  readonly valueBytesMax: number;
  /** Deepest nesting of arrays and objects, in the payload and in results. */
  readonly depthMax: number;
}

/** Generous for rules of practice: a filter takes ten steps. So many take 20 to 50 ms, which is what a hostile payload may cost. */
export const DEFAULT_TRANSFORM_LIMITS: TransformLimits = {
  stepsMax: 20_000,
  timeMsMax: 100,
  valueBytesMax: 1_048_576,
  depthMax: 64,
};
