import { setTimeout as delay } from 'node:timers/promises';
import type { NodeAnswers } from '#libs/api-contracts';
import type { ApiState, Log, ReplyClaim, StoredDefinition } from '#libs/broker-ports';
import type { ApiMeter } from '#libs/metrics-prom';
import type { Cluster } from '../cluster/cluster.ts';
import { presentEvent } from '../streams/event-presenter.ts';
import { NodeFeed } from '../streams/node-feed.ts';
import { PostOffice, type PostOfficeOptions } from './post-office.ts';
import type { StoredDelivery, StoredWebhook, WebhookProgress } from './stored-webhook.ts';
import { WebhookLane, type LaneItem, type LaneParts } from './webhook-lane.ts';

/** What webhooks are told with. */
export interface DispatcherOptions extends PostOfficeOptions {
  readonly state: ApiState;
  readonly cluster: Cluster;
  readonly meter: ApiMeter;
  readonly log: Log;
  /** How long a replica that dies keeps others from its work. */
  readonly leaseMs?: number;
  /** @see LaneParts.firstPauseMs */
  readonly firstPauseMs?: number;
}

interface Running {
  readonly revision: number;
  readonly lane: WebhookLane;
  readonly done: Promise<void>;
}

/** Of the lease: nobody else has asked for it under this name. */
const LEASE = { key: 'webhook-dispatcher', bodyHash: 'lease' };
const LEASE_MS = 10_000;
const LOOK_MS = 1_000;
/** In all of them together. */
const DELIVERIES_MAX = 20_000;
const DELIVERY_AGE_MS_MAX = 7 * 86_400_000;

/** The journal of requests that have ended. */
export function deliveriesOf(state: ApiState) {
  const bounds = { entriesMax: DELIVERIES_MAX, ageMsMax: DELIVERY_AGE_MS_MAX };
  return state.journal<StoredDelivery>('webhook-deliveries', bounds);
}

/**
 * Tells webhooks of what happens at the nodes, as long as no other replica of the API does.
 *
 * @remarks Each webhook reads the rings of the nodes for itself, from where it is: one that is slow is behind there, and keeps nobody waiting. A
 * replica that takes over may send once more what the one before it could not write down.
 */
export class WebhookDispatcher {
  readonly #options: DispatcherOptions;
  readonly #stop = new AbortController();
  readonly #running = new Map<string, Running>();
  #work: Promise<void> | undefined;
  #wake: () => void = () => {};

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Begins; the store may be away. */
  start(): void {
    this.#work ??= this.#run();
  }

  /** Looks at once what webhooks there are. */
  look(): void {
    this.#wake();
  }

  /** Ends requests under way and lets another replica go on. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    await this.#work;
  }

  get #isOpen(): boolean {
    return !this.#stop.signal.aborted;
  }

  async #run(): Promise<void> {
    const { state, log, leaseMs = LEASE_MS } = this.#options;
    while (this.#isOpen) {
      try {
        const begun = await state.replies.begin({ ...LEASE, leaseMs });
        if (begun.kind === 'fresh') await this.#lead({ key: LEASE.key, claim: begun.claim });
      } catch (error) {
        log.debug('webhooks-wait', { message: String(error) });
      }
      await this.#pause();
    }
  }

  /** Works until the lease is lost. */
  async #lead(claim: ReplyClaim): Promise<void> {
    const { state, log, leaseMs = LEASE_MS } = this.#options;
    log.debug('webhooks-begun', {});
    let heldUntilMs = performance.now() + leaseMs;
    try {
      while (this.#isOpen) {
        const askedAtMs = performance.now();
        try {
          if (!(await state.replies.extend(claim, leaseMs))) return;
          heldUntilMs = askedAtMs + leaseMs;
          await this.#sync();
        } catch (error) {
          log.debug('webhooks-wait', { message: String(error) });
          if (performance.now() + 2 * LOOK_MS > heldUntilMs) return;
        }
        await this.#pause();
      }
    } finally {
      const running = [...this.#running.values()];
      for (const { lane } of running) lane.close();
      await Promise.all(running.map(({ done }) => done));
      await state.replies.abandon(claim).catch(() => undefined);
    }
  }

  async #pause(): Promise<void> {
    if (!this.#isOpen) return;
    const woken = new Promise<void>((resolve) => (this.#wake = resolve));
    const { signal } = this.#stop;
    await Promise.race([delay(LOOK_MS, undefined, { ref: false, signal }).catch(() => {}), woken]);
  }

  /** Begins and ends lanes as webhooks have come, changed and gone. */
  async #sync(): Promise<void> {
    const all = await this.#options.state.definitions<StoredWebhook>('webhooks').list();
    const wanted = new Map(
      all.filter(({ item }) => item.enabled).map((stored) => [stored.item.id, stored]),
    );
    const ending: Promise<void>[] = [];
    for (const [id, { revision, lane, done }] of this.#running) {
      if (wanted.get(id)?.revision === revision && lane.isOpen) continue;
      lane.close();
      ending.push(done);
    }
    // Each may wait for a node: one after the other they would outlast the lease.
    await Promise.all(ending);
    for (const [id, stored] of wanted) {
      if (!this.#running.has(id)) await this.#begin(stored);
    }
  }

  async #begin({ item: webhook, revision }: StoredDefinition<StoredWebhook>): Promise<void> {
    const { state, now, cluster, meter, log, firstPauseMs } = this.#options;
    const progresses = state.definitions<WebhookProgress>('webhook-progress');
    const stored = await progresses.get(webhook.id);
    const sinceMs = stored?.item.sinceMs ?? now();
    let known = stored?.revision;
    const office = new PostOffice(webhook, this.#options);
    const keep: LaneParts['keep'] = async (positions, retrying) => {
      if (retrying !== undefined) meter.webhookPosted('retried');
      const progress = { id: webhook.id, sinceMs, positions: [...positions], retrying };
      try {
        const result = await progresses.put(progress, known);
        if (result.kind === 'stored') known = result.stored.revision;
        else lane.close();
      } catch (error) {
        log.debug('webhook-progress-not-kept', { webhook: webhook.id, message: String(error) });
      }
    };
    const record: LaneParts['record'] = async (delivery) => {
      const isDelivered = delivery.state === 'delivered';
      meter.webhookPosted(isDelivered ? 'delivered' : 'failed');
      if (!isDelivered) {
        const detail = delivery.attempts.at(-1)?.detail;
        meter.webhookEventsLost(delivery.eventCount);
        log.warn('webhook-given-up', { webhook: webhook.id, delivery: delivery.id, detail });
      }
      try {
        await deliveriesOf(state).append(delivery);
      } catch (error) {
        log.debug('webhook-delivery-not-kept', { webhook: webhook.id, message: String(error) });
      }
    };
    const pauses = firstPauseMs === undefined ? {} : { firstPauseMs };
    const lane = new WebhookLane(
      { webhook, office, now, keep, record, ...pauses },
      stored?.item.positions ?? [],
    );
    const feed = new NodeFeed<NodeAnswers['events'], LaneItem>(
      cluster,
      sourceOf({ webhook, lane, sinceMs, meter }),
      lane,
    );
    const done = Promise.all([lane.run(), feed.run()])
      .catch((error: unknown) => log.error('webhook-failed', { message: String(error) }))
      .then(() => {
        lane.close();
        office.close();
        this.#running.delete(webhook.id);
      });
    this.#running.set(webhook.id, { revision, lane, done });
  }
}

/** How a webhook reads the rings of nodes. */
function sourceOf({
  webhook: { events: types },
  lane,
  sinceMs,
  meter,
}: {
  readonly webhook: StoredWebhook;
  readonly lane: WebhookLane;
  readonly sinceMs: number;
  readonly meter: ApiMeter;
}) {
  return {
    question: (nodeId: string, waitMs: number) => ({
      kind: 'events' as const,
      // All that happens at a node that has come since is new.
      after: lane.positionAt(nodeId) ?? { life: 0, number: 0 },
      ...(types.length > 0 && { types }),
      waitMs,
    }),
    events: (node: string, answer: NodeAnswers['events']): readonly LaneItem[] => {
      const { position, lost } = answer;
      const before = lane.positionAt(node);
      const isKnown = before !== undefined;
      const items: LaneItem[] = [];
      if (lost > 0 && isKnown) {
        meter.webhookEventsLost(lost);
        items.push({ node, event: { type: 'overflow', node, lost } });
      }
      for (const event of answer.events) {
        if (!isKnown && event.atMs < sinceMs) continue;
        const at = { life: position.life, number: event.number };
        const id = `${node}-${String(at.life)}-${String(at.number)}`;
        items.push({ node, position: at, event: { id, ...presentEvent(node, event) } });
      }
      const isSame = before?.life === position.life && before.number === position.number;
      return isSame && items.length === 0 ? [] : [...items, { node, position }];
    },
    silent: () => [],
  };
}
