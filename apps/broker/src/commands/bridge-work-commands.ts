import type { BridgeAnswers, BridgeCommand } from '#libs/api-contracts';
import type { Bridge } from '#libs/broker-ports';
import type { BridgeDefinitions } from '../bridge-definitions.ts';

/** What commands on bridges at work need of the node. */
export type BridgeAtWork = Pick<Bridge, 'metrics' | 'resetMetrics' | 'restart'>;

/** What commands on bridges at work, and on the order of their rules, are carried out by. */
export interface BridgeWorkOptions {
  readonly bridge: BridgeAtWork;
  readonly definitions: Pick<BridgeDefinitions, 'order'>;
}

/** Carries out what the API asks about bridges at work on this node. */
export async function answerOnBridges(
  { bridge, definitions }: BridgeWorkOptions,
  command: BridgeCommand,
): Promise<BridgeAnswers[BridgeCommand['kind']]> {
  switch (command.kind) {
    case 'restart-bridge':
      return { kind: bridge.restart(command.id) };
    case 'order-rules':
      return await definitions.order(command.ids, command.revision);
    case 'bridge-metrics':
      return { rules: bridge.metrics() };
    case 'reset-bridge-metrics':
      bridge.resetMetrics(command.id);
      return {};
  }
}
