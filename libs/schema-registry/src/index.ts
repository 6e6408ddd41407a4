export { RegistryClient, RegistryError, type ReadSecret } from './registry-client.ts';
export { SchemaError, ValueError, type RegisteredSchema, type SchemaReference } from './codec.ts';
export { ValueDecoder, type ValueDecoderOptions } from './value-decoder.ts';
export { ValueEncoder, type EncodedBatch, type ValueEncoderOptions } from './value-encoder.ts';
