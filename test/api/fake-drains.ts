import {
  isDrainCommand,
  type DrainAnswers,
  type DrainCommand,
  type NodeCommand,
  type WireDrain,
} from '#libs/api-contracts';

const isActive = ({ state }: WireDrain): boolean => state === 'shedding' || state === 'drained';

/** The drains of a node, in memory: they stay where they are. */
export class FakeDrains {
  drains: WireDrain[] = [];
  sinceMs: number | undefined;
  skipUntilMs = 0;
  /** Whether no other node serves clients. */
  isLast = false;

  takes(command: NodeCommand): command is DrainCommand {
    return isDrainCommand(command);
  }

  answer(command: DrainCommand): DrainAnswers[DrainCommand['kind']] {
    switch (command.kind) {
      case 'start-drain': {
        if (this.drains.some(isActive)) return {};
        if (this.isLast && command.request.evenIfLast !== true) return { isLast: true };
        const { id, kind, connectionsPerSecond = 200, keep = 0 } = command.request;
        const total = 10 - keep;
        const counts = { total, gone: 1, remaining: total - 1 };
        const drain: WireDrain = {
          ...{ id, kind, connectionsPerSecond, ...counts },
          ...{ state: 'shedding', startedAtMs: 1_000 },
        };
        this.drains = [drain, ...this.drains];
        return { drain };
      }
      case 'drains':
        return { drains: this.drains };
      case 'stop-drain': {
        const { of, id } = command;
        const found = this.drains.find(
          (each) => isActive(each) && each.kind === of && (id ?? each.id) === each.id,
        );
        this.drains = this.drains.map((each) =>
          each === found ? { ...each, state: 'stopped', endedAtMs: 2_000 } : each,
        );
        return { found: found !== undefined };
      }
      case 'drain-skip':
        return { untilMs: this.skipUntilMs };
      case 'set-drain-skip':
        this.skipUntilMs = command.seconds * 1_000;
        return { untilMs: this.skipUntilMs };
      case 'maintenance':
        return { sinceMs: this.sinceMs };
      case 'set-maintenance':
        this.sinceMs = command.on ? 5_000 : undefined;
        return { sinceMs: this.sinceMs };
    }
  }
}
