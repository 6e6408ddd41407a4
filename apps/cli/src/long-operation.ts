import type { LongOperation } from '#libs/api-contracts';
import type { Invocation } from './command.ts';
import { OperationFailed } from './exit-code.ts';
import { pause } from './pause.ts';

/** How often a long operation is looked at: more and more seldom. */
const LOOK_MS = 250;
const LOOK_MS_MAX = 2_000;
const ENDED: readonly string[] = ['succeeded', 'failed', 'cancelled'];

/** Whether a reply is the long operation that does what was asked for. */
export function isBegun(status: number, headers: Headers): boolean {
  return status === 202 && /\/operations\/[^/]+$/.test(headers.get('location') ?? '');
}

/**
 * Waits until a long operation has ended, and tells of its progress; undefined when the user does not wait any longer: it goes on.
 *
 * @throws OperationFailed unless it succeeds.
 */
export async function awaitEnd(
  { terminal, api }: Invocation,
  begun: LongOperation,
): Promise<LongOperation | undefined> {
  const client = await api.client();
  let operation = begun;
  let told = '';
  for (let waitMs = LOOK_MS; !ENDED.includes(operation.state); waitMs = longer(waitMs)) {
    const progress = progressOf(operation);
    if (progress !== told) terminal.note(progress);
    told = progress;
    await pause(waitMs, terminal.stop);
    if (terminal.stop.aborted) {
      terminal.note(`it goes on: skein operations wait ${operation.id}`);
      return undefined;
    }
    const path = { operation_id: operation.id };
    operation = (await client.call('getOperation', { path })).body;
  }
  if (operation.state !== 'succeeded') throw new OperationFailed(operation);
  return operation;
}

const longer = (waitMs: number): number => Math.min(waitMs * 1.5, LOOK_MS_MAX);

function progressOf({
  kind,
  state,
  progress,
  cancel_requested: isCancelled,
}: LongOperation): string {
  const { done, total } = progress;
  const share = total === null ? String(done) : `${String(done)} of ${String(total)}`;
  const how = isCancelled ? 'is to be cancelled' : state;
  return `${kind}: ${how}${state === 'queued' ? '' : `, ${share}`}`;
}
