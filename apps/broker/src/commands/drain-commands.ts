import type { CommandOf, DrainAnswers, DrainCommand } from '#libs/api-contracts';
import type { NodeDrain } from '../node-drain.ts';
import type { Readiness } from '../readiness.ts';

/** What commands on drains work on. */
export interface DrainCommandsOptions {
  readonly drain: Pick<NodeDrain, 'start' | 'stop' | 'view' | 'views' | 'skipUntilMs'>;
  readonly readiness: Pick<Readiness, 'maintenanceSinceMs'>;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

/** Sending clients away, and keeping them away, as the API asks for it. */
export class DrainCommands {
  readonly #options: DrainCommandsOptions;

  constructor(options: DrainCommandsOptions) {
    this.#options = options;
  }

  /** Carries out a command of this group. */
  answer(command: DrainCommand): DrainAnswers[DrainCommand['kind']] {
    const { drain, readiness, nowMs } = this.#options;
    switch (command.kind) {
      case 'start-drain':
        return this.#start(command);
      case 'drains':
        return { drains: drain.views };
      case 'stop-drain':
        return this.#stop(command);
      case 'drain-skip':
        return { untilMs: drain.skipUntilMs };
      case 'set-drain-skip':
        drain.skipUntilMs = command.seconds === 0 ? 0 : nowMs() + command.seconds * 1_000;
        return { untilMs: drain.skipUntilMs };
      case 'maintenance':
        return { sinceMs: readiness.maintenanceSinceMs };
      case 'set-maintenance':
        return this.#setMaintenance(command.on);
    }
  }

  #start({ request }: CommandOf<'start-drain'>): DrainAnswers['start-drain'] {
    const { drain } = this.#options;
    const start = drain.start(request);
    return start === 'begun' ? { drain: drain.view } : { isLast: start === 'last' };
  }

  #stop({ of, id }: CommandOf<'stop-drain'>): DrainAnswers['stop-drain'] {
    const { drain } = this.#options;
    const isMeant = drain.view?.kind === of && (id === undefined || drain.view.id === id);
    return { found: isMeant && drain.stop() };
  }

  #setMaintenance(on: boolean): DrainAnswers['set-maintenance'] {
    const { readiness, nowMs } = this.#options;
    readiness.maintenanceSinceMs = on ? (readiness.maintenanceSinceMs ?? nowMs()) : undefined;
    return { sinceMs: readiness.maintenanceSinceMs };
  }
}
