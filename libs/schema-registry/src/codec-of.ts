import { avroCodec } from './avro-codec.ts';
import { SchemaError, type RegisteredSchema, type ValueCodec } from './codec.ts';
import { jsonSchemaCodec } from './json-schema-codec.ts';
import { protobufCodec } from './protobuf-codec.ts';

/**
 * Makes the codec of a schema.
 *
 * @param messageType - which message of a Protobuf schema is written.
 * @throws SchemaError when the schema cannot be worked with.
 */
export function codecOf(schema: RegisteredSchema, messageType?: string): ValueCodec {
  try {
    switch (schema.format) {
      case 'avro':
        return avroCodec(schema);
      case 'protobuf':
        return protobufCodec(schema, messageType);
      case 'json-schema':
        return jsonSchemaCodec(schema);
    }
  } catch (error) {
    // For example a schema that is nested too deeply for the stack.
    if (error instanceof SchemaError) throw error;
    throw new SchemaError(error instanceof Error ? error.message : String(error));
  }
}
