import { z } from 'zod';

/** A whole number with its range and unit. @internal */
export interface Whole {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly unit: string;
}

export const whole = (description: string, range: Whole) =>
  z
    .int()
    .min(range.min)
    .max(range.max)
    .default(range.default)
    .meta({ description, unit: range.unit });

export const port = (description: string, number: number) =>
  whole(`${description} 0 lets the system choose.`, {
    default: number,
    min: 0,
    max: 65_535,
    unit: 'port',
  });

export const milliseconds = (
  description: string,
  range: { default: number; min: number; max: number },
) => whole(description, { ...range, unit: 'ms' });

export const flag = (description: string, fallback: boolean) =>
  z.boolean().default(fallback).meta({ description });

export const host = (description: string) =>
  z
    .string()
    .regex(/^[^\s/]{1,253}$/)
    .default('127.0.0.1')
    .meta({ description, expects: 'a host name or an IP address' });

/** A section takes the defaults of its keys when the file does not mention it. */
export const section = <Shape extends z.core.$ZodLooseShape>(shape: Shape) =>
  z.strictObject(shape).prefault({} as never);

export const name = (description: string) =>
  z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/)
    .meta({ description, expects: '1 to 64 letters, digits, dots, underscores or hyphens' });

export const file = (description: string) =>
  z.string().min(1).max(4096).exactOptional().meta({ description, expects: 'a file path' });

export const addresses = (description: string) =>
  z
    .array(z.string().regex(/^[^\s,/]{1,253}:\d{1,5}$/))
    .max(64)
    .default([])
    .meta({ description, expects: 'a list of host:port' });

export const secret = (description: string) =>
  z
    .string()
    .min(1)
    .max(4096)
    .exactOptional()
    .meta({ description, expects: 'a text', secret: true });
