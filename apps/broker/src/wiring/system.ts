import { getHeapStatistics } from 'node:v8';
import type { RuleBridge } from '#libs/bridge';
import type { BrokerNode } from '#libs/broker-core';
import type { ClusterBus, Log } from '#libs/broker-ports';
import type { Config } from '#libs/config';
import type { PromMeter } from '#libs/metrics-prom';
import type { BridgeDefinitions } from '../bridge-definitions.ts';
import { SystemCommands, type ProcessFigures } from '../commands/system-commands.ts';
import { HealthChecks } from '../health-checks.ts';
import type { ListenerSet } from '../listeners/listener-set.ts';
import { NodeDrain } from '../node-drain.ts';
import type { LiveSettings } from '../settings/live-settings.ts';
import type { Readiness } from '../readiness.ts';
import type { OverloadWatch } from './overload.ts';

type Inputs = [
  LiveSettings,
  PromMeter,
  ClusterBus,
  BrokerNode,
  RuleBridge,
  BridgeDefinitions,
  OverloadWatch,
  ListenerSet,
  Readiness,
  NodeDrain,
];

/** What commands on the system reach of a node. */
export function openSystem(...inputs: Inputs): SystemCommands {
  const [live, meter, bus, node, bridge, definitions, overload, ...rest] = inputs;
  const [listeners, readiness, drain] = rest;
  const health = new HealthChecks({
    ...{ readiness, listeners },
    connectors: () => {
      const kinds = new Map(definitions.known.map(({ id, kind }) => [id, kind]));
      return bridge.connectors().map((each) => ({ ...each, kind: kinds.get(each.id) ?? '' }));
    },
    nodes: () => bus.nodes(),
    isCurrent: () => bus.isCurrent,
    connections: () => node.admin.connectionsByListener(),
    nowMs: Date.now,
  });
  return new SystemCommands({
    ...{ live, meter, node, overload, listeners, health, drain },
    connectors: () => definitions.connectors(),
    process: processFigures,
  });
}

type DrainInputs = [Config, Log, PromMeter, ClusterBus, BrokerNode, Readiness];

/** What sends the clients of a node away. */
export function openDrain(...[config, log, meter, bus, node, readiness]: DrainInputs): NodeDrain {
  const { drain: settings, node: own } = config;
  const { serverReference } = own;
  const parts = { settings, serverReference, nodeId: own.id, node, bus, readiness, meter, log };
  return new NodeDrain({ ...parts, nowMs: Date.now });
}

function processFigures(): ProcessFigures {
  const { rss } = process.memoryUsage();
  const { used_heap_size: heapUsedBytes, heap_size_limit: heapLimitBytes } = getHeapStatistics();
  const { user, system } = process.cpuUsage();
  const uptimeMs = Math.round(process.uptime() * 1_000);
  const cpuSeconds = (user + system) / 1e6;
  return { uptimeMs, residentBytes: rss, heapUsedBytes, heapLimitBytes, cpuSeconds };
}
