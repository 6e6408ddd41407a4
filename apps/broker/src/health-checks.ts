import type { WireHealthCheck } from '#libs/api-contracts';
import type { NodeInfo } from '#libs/broker-ports';
import { ListenerRoom } from './listener-room.ts';
import type { Listener } from './listeners/listener.ts';
import type { ListenerView } from './listeners/listener-set.ts';

/** What health checks look at. */
export interface HealthCheckParts {
  readonly readiness: {
    readonly obstacles: readonly string[];
    readonly hasRedis: boolean;
    readonly reachesRedis: boolean;
  };
  readonly listeners: { readonly all: readonly Listener[]; views(): readonly ListenerView[] };
  /** The bridges that rules use. */
  readonly connectors: () => readonly {
    readonly id: string;
    readonly kind: string;
    readonly state: string;
    readonly lastError?: string | undefined;
  }[];
  readonly nodes: () => readonly NodeInfo[];
  readonly isCurrent: () => boolean;
  /** Open now, by listener. */
  readonly connections: () => ReadonlyMap<string, number>;
  readonly nowMs: () => number;
}

/** What a node finds when it looks at itself. */
export class HealthChecks {
  readonly #parts: HealthCheckParts;

  constructor(parts: HealthCheckParts) {
    this.#parts = parts;
  }

  /** All checks. @param certificatesWithinMs - a certificate that ends within that time fails its check. */
  run(certificatesWithinMs: number): readonly WireHealthCheck[] {
    return [
      this.#readiness(),
      this.#listeners(),
      this.#redis(),
      this.#kafka(),
      this.#quorum(),
      this.#certificates(certificatesWithinMs),
      this.#connections(),
    ];
  }

  #readiness(): WireHealthCheck {
    const { obstacles } = this.#parts.readiness;
    return checkOf('ready-to-serve-clients', obstacles, 'clients are served');
  }

  #listeners(): WireHealthCheck {
    const views = this.#parts.listeners.views();
    const faults = views
      .filter(({ state }) => state !== 'listening')
      .map(({ name, state, lastError }) => `${name}: ${lastError ?? state}`);
    return checkOf('listeners', faults, `${String(views.length)} listen`);
  }

  #redis(): WireHealthCheck {
    const { hasRedis, reachesRedis } = this.#parts.readiness;
    const faults = reachesRedis ? [] : ['Redis does not answer'];
    return checkOf('redis', faults, hasRedis ? 'Redis answers' : 'the node uses no Redis');
  }

  #kafka(): WireHealthCheck {
    const used = this.#parts.connectors().filter(({ kind }) => kind === 'kafka');
    const faults = used
      .filter(({ state }) => state === 'disconnected')
      .map(({ id, lastError }) => `${id}: ${lastError ?? 'not connected'}`);
    return checkOf('kafka', faults, `${String(used.length)} bridges to Kafka are in use`);
  }

  /** Redis decides who is a member, so a node is with the others when it knows the members and their routes. */
  #quorum(): WireHealthCheck {
    const names = this.#parts.nodes().map(({ nodeId }) => nodeId);
    const faults = this.#parts.isCurrent() ? [] : ['the routes of other nodes are not known'];
    return checkOf('cluster-quorum', faults, `sees ${names.toSorted().join(', ')}`);
  }

  #certificates(withinMs: number): WireHealthCheck {
    const limitMs = this.#parts.nowMs() + withinMs;
    const all = this.#parts.listeners.all.flatMap((listener) =>
      listener.certificates().map((each) => ({ name: listener.name, ...each })),
    );
    const faults = all
      .filter(({ notAfterMs }) => notAfterMs <= limitMs)
      .map(({ name, subject, notAfterMs }) => {
        return `${name}: ${subject} ends at ${new Date(notAfterMs).toISOString()}`;
      });
    return checkOf('certificate-expiration', faults, `${String(all.length)} certificates hold`);
  }

  #connections(): WireHealthCheck {
    const { listeners, connections: counts } = this.#parts;
    // One of its own, so that who looks does not move what the probe remembers.
    const faults = new ListenerRoom({ views: () => listeners.views(), counts }).full();
    return checkOf('below-connection-limit', faults, 'there is room for more connections');
  }
}

function checkOf(
  name: WireHealthCheck['name'],
  faults: readonly string[],
  detail: string,
): WireHealthCheck {
  return faults.length === 0
    ? { name, ok: true, detail }
    : { name, ok: false, detail: faults.join('; ') };
}
