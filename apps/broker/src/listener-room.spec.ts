import { expect, it } from '@jest/globals';
import { ListenerRoom } from './listener-room.ts';

it('calls a listener full from 95 % of its bound on, until it has less than 85 %', () => {
  const counts = new Map([['ws', 0]]);
  const views = [
    { name: 'tcp', connectionsMax: 100 },
    { name: 'ws', connectionsMax: 10 },
  ];
  const room = new ListenerRoom({ views: () => views, counts: () => counts });
  const seen = [0, 94, 95, 100, 90, 85, 84, 94, 95].map((count) => {
    counts.set('tcp', count);
    return [count, room.full().length];
  });
  expect(seen).toEqual([
    ...[
      [0, 0],
      [94, 0],
      [95, 1],
      [100, 1],
      [90, 1],
    ],
    ...[
      [85, 1],
      [84, 0],
      [94, 0],
      [95, 1],
    ],
  ]);
  counts.set('ws', 10);
  expect(room.full()).toEqual(['tcp: 95 of 100 connections', 'ws: 10 of 10 connections']);
});

it('knows no more of a listener that is gone', () => {
  const counts = new Map([['tcp', 10]]);
  const views = [{ name: 'tcp', connectionsMax: 10 }];
  const room = new ListenerRoom({ views: () => views, counts: () => counts });
  expect(room.full()).toHaveLength(1);
  views.pop();
  expect(room.full()).toEqual([]);
});
