import {
  TRACEPARENT,
  TRACESTATE,
  parseTraceparent,
  type InjectedMessage,
} from '#libs/broker-ports';
import { userPropertyNamed, type UserProperty } from '#libs/mqtt-codec';
import type { ConsumedRecord } from './source.ts';

/** A message with the place in a trace that its record has, unless its rule gives it one. */
export function withTraceOf(
  { headers = {} }: Pick<ConsumedRecord, 'headers'>,
  message: InjectedMessage,
): InjectedMessage {
  const parent = textOf(headers[TRACEPARENT]);
  if (parent === undefined || parseTraceparent(parent) === undefined) return message;
  const { userProperties = [] } = message.properties ?? {};
  if (userPropertyNamed(userProperties, TRACEPARENT) !== undefined) return message;
  const state = textOf(headers[TRACESTATE]);
  const added: UserProperty[] = [[TRACEPARENT, parent]];
  if (state !== undefined) added.push([TRACESTATE, state]);
  const properties = { ...message.properties, userProperties: [...userProperties, ...added] };
  return { ...message, properties };
}

/** The longest that is of use to anybody; a header may be much longer. */
const TEXT_LENGTH_MAX = 512;

function textOf(header: NonNullable<ConsumedRecord['headers']>[string]): string | undefined {
  const [first] = Array.isArray(header) ? header : [header];
  const text = first?.toString();
  return text !== undefined && text.length <= TEXT_LENGTH_MAX && /^[ -~]+$/.test(text)
    ? text
    : undefined;
}
