import { SinkError } from '#libs/bridge';

const NOT_FOUND = 404;
const ACCESS_REFUSED = 403;
const PRECONDITION_FAILED = 406;

/**
 * What a failure of the client means. A refused login is no refusal of records: the connection was never there.
 *
 * @param failure - closes a channel with one of AMQP's codes, or tells of the connection.
 */
export function sinkErrorOf(failure: unknown): SinkError {
  if (failure instanceof SinkError) return failure;
  const { message, code } = failure as { readonly message?: unknown; readonly code?: unknown };
  const text = String(message || code);
  return new SinkError(codeOf(code, text), text);
}

function codeOf(code: unknown, text: string): SinkError['code'] {
  if (!text.startsWith('Channel closed by server') && !text.startsWith('Operation failed')) {
    return 'UNAVAILABLE';
  }
  switch (code) {
    case NOT_FOUND:
      return 'UNKNOWN_TARGET';
    case ACCESS_REFUSED:
      return 'NOT_AUTHORIZED';
    case PRECONDITION_FAILED:
      return /message size/.test(text) ? 'TOO_LARGE' : 'REJECTED';
    default:
      return 'UNAVAILABLE';
  }
}
