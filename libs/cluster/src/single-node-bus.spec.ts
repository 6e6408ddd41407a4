import { describe, expect, it } from '@jest/globals';
import { SingleNodeBus } from './single-node-bus.ts';

const bus = new SingleNodeBus({ nodeId: 'n1', version: '1.0.0', startedAtMs: 5 });

describe('SingleNodeBus', () => {
  it('is alone: routes are known at once, and earlier runs are dead', async () => {
    await expect(bus.announceRoutes([{ kind: 'add', filter: 'a' }])).resolves.toBeUndefined();
    expect(bus.nodes().map(({ nodeId }) => nodeId)).toEqual(['n1']);
    expect([bus.isAlive(bus.self), bus.isAlive({ nodeId: 'n1', incarnation: 4 })]).toEqual([
      true,
      false,
    ]);
    await expect(bus.claimDead({ nodeId: 'n1', incarnation: 4 })).resolves.toBe(true);
  });

  it('refuses what only a peer could take', async () => {
    const peer = { nodeId: 'n2', incarnation: 1 };
    await expect(bus.sendDurable(peer, new Uint8Array())).rejects.toMatchObject({
      code: 'NODE_SILENT',
    });
    await expect(
      bus.request('n2', { kind: 'release-session', clientId: 'c', epoch: 1, isRouted: true }),
    ).rejects.toMatchObject({ code: 'NODE_SILENT' });
  });

  it('shows its state', async () => {
    await bus.setState('draining');
    expect(bus.nodes()[0]?.state).toBe('draining');
  });
});
