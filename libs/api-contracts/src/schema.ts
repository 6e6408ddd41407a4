import { z } from 'zod';

/** What a text of MQTT has at most, in bytes [MQTT-1.5.4]. */
export const MQTT_TEXT_MAX = 65_535;

/** The schemas that the OpenAPI document lists under components, by name. */
export const SCHEMAS = z.registry<{ readonly id: string }>();

/** What references to those schemas begin with. */
export const SCHEMA_REFERENCE = '#/components/schemas/';

/** Gives a schema its name in the OpenAPI document. */
export function named<Schema extends z.ZodType>(id: string, schema: Schema): Schema {
  SCHEMAS.add(schema, { id });
  return schema;
}

/** A moment, RFC 3339 in UTC. */
export const timestampSchema = z.iso.datetime().max(40);

/** A count of things or bytes. */
export const countSchema = z.number().int().min(0);

/** `true` or `false` in a query. */
export const flagSchema = z.enum(['true', 'false']).transform((text) => text === 'true');
