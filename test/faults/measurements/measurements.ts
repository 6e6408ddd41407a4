import { filtersMeasurement, joinMeasurement } from './filters.ts';
import type { Measurement } from './measurement.ts';
import { offlineQueueMeasurement } from './offline-queue.ts';
import { retainedMeasurement } from './retained.ts';
import { sessionsMeasurement } from './sessions.ts';
import { subackMeasurement } from './suback.ts';
import { tlsStorm } from './tls-storm.ts';

/** What is counted and timed beside the rows of faults. */
export const MEASUREMENTS: readonly Measurement[] = [
  subackMeasurement,
  offlineQueueMeasurement,
  sessionsMeasurement,
  filtersMeasurement,
  joinMeasurement,
  retainedMeasurement,
  tlsStorm,
];
