/** Where in a trace something happens (W3C Trace Context). Only what is sampled has one. */
export interface TraceContext {
  /** 32 hexadecimal digits in lower case, not all 0. */
  readonly traceId: string;
  /** 16 hexadecimal digits in lower case, not all 0. */
  readonly spanId: string;
  /** `tracestate` as it came; Skein adds nothing to it. */
  readonly state?: string | undefined;
}

/** The name of the user property, and of the header of a record, that says where in a trace a message is. */
export const TRACEPARENT = 'traceparent';
/** The name of what accompanies it. */
export const TRACESTATE = 'tracestate';

const FORM = /^(?!ff)[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;
const ZEROS = /^0+$/;
/** `00-`, the ids with a hyphen between them, and the flags. */
const LENGTH = 55;

/** What `traceparent` says; undefined for what is none: that is as good as absent. */
export function parseTraceparent(
  text: string,
): { readonly context: TraceContext; readonly sampled: boolean } | undefined {
  if (text.length < LENGTH || text.length > 4 * LENGTH) return undefined;
  const [, traceId = '0', spanId = '0', flags = '0', more] = FORM.exec(text) ?? [];
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return undefined;
  // Only a later version may have more.
  if (more !== undefined && text.startsWith('00')) return undefined;
  return { context: { traceId, spanId }, sampled: (parseInt(flags, 16) & 1) === 1 };
}

/** What says that a sampled message comes from a span. */
export function traceparentOf({ traceId, spanId }: TraceContext): string {
  return `00-${traceId}-${spanId}-01`;
}
