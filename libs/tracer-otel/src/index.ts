export type { OutletLimits } from './span-outlet.ts';
export { OtelTracer, type OtelTracerOptions } from './otel-tracer.ts';
