import { topicNameFault } from '#libs/topic-index';

const PREFIX = '$delayed/';
const FORM = /^\$delayed\/(\d{1,10})\/(.+)$/su;
const SECONDS_MAX = 4_294_967_295;

/** What a topic of the form `$delayed/{seconds}/{topic}` asks for. */
export interface Delay {
  readonly seconds: number;
  /** Where the message is to be published. */
  readonly topic: string;
}

/** Whether a topic asks for its message to be published later. */
export function isDelayed(topic: string): boolean {
  return topic.startsWith(PREFIX);
}

/**
 * Takes a topic apart that {@link isDelayed}.
 *
 * @returns what is wrong with it as a text: the delay is no number of seconds from 1 to 4,294,967,295, or there is no topic
 * after it, or one that asks for a delay itself.
 */
export function parseDelayed(topic: string, topicLevelsMax: number): Delay | string {
  const [, digits = '', rest = ''] = FORM.exec(topic) ?? [];
  const seconds = Number(digits);
  if (digits === '' || seconds < 1 || seconds > SECONDS_MAX) {
    return 'the delay is not of the form $delayed/{seconds}/{topic}';
  }
  if (isDelayed(rest)) return 'a delayed topic holds another one';
  return topicNameFault(rest, topicLevelsMax) ?? { seconds, topic: rest };
}
