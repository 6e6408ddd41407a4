import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { API } from './api.ts';
import { grafanaBoard } from './board.ts';
import { BRIDGE } from './bridge.ts';
import { CLUSTER } from './cluster.ts';
import { CONNECTIONS } from './connections.ts';
import { MESSAGES } from './messages.ts';
import { NODES } from './nodes.ts';
import { OBJECTIVES } from './objectives.ts';
import { OVERVIEW } from './overview.ts';
import type { Board } from './panel.ts';

/** Every dashboard, in the order in which one looks. */
export const BOARDS: readonly Board[] = [
  ...[OVERVIEW, NODES, CONNECTIONS, MESSAGES],
  ...[CLUSTER, BRIDGE, API, OBJECTIVES],
];

/** The dashboards as Grafana reads them, by uid. */
export function dashboards(): ReadonlyMap<string, Dashboard> {
  return new Map(BOARDS.map((board) => [board.uid, grafanaBoard(board)]));
}
