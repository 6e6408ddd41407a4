// Holds objects to the strict schemas of Kubernetes, and of custom kinds to the fields that the chart uses.
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';

const file = new URL('../k8s-schemas/v1.35.0-strict.definitions.json', import.meta.url);
const data = JSON.parse(readFileSync(file, 'utf8'));
const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
ajv.addSchema(data);

const names = new Map(
  Object.entries(data.$defs).flatMap(([name, schema]) =>
    (schema['x-kubernetes-group-version-kind'] ?? []).map(({ group, version, kind }) => [
      `${group === '' ? '' : `${group}/`}${version}/${kind}`,
      name,
    ]),
  ),
);

const strict = (properties, required = []) => ({
  type: 'object',
  ...{ additionalProperties: false, required, properties },
});
const relabeling = strict({
  ...{
    action: { type: 'string' },
    sourceLabels: { type: 'array' },
    targetLabel: { type: 'string' },
  },
  ...{ replacement: { type: 'string' }, regex: { type: 'string' }, separator: { type: 'string' } },
});
const endpoint = strict(
  {
    ...{ port: { type: 'string' }, path: { type: 'string' }, honorLabels: { type: 'boolean' } },
    ...{ interval: { type: 'string' }, scrapeTimeout: { type: 'string' } },
    relabelings: { type: 'array', items: relabeling },
    metricRelabelings: { type: 'array', items: relabeling },
    // What users may add.
    ...{ scheme: { enum: ['http', 'https'] }, tlsConfig: { type: 'object' } },
    authorization: { type: 'object' },
  },
  ['port', 'path'],
);
const monitored = {
  selector: { type: 'object', required: ['matchLabels'] },
  namespaceSelector: strict({ matchNames: { type: 'array' } }),
  sampleLimit: { type: 'integer' },
};
const issuerRef = strict(
  { name: { type: 'string', minLength: 1 }, kind: { type: 'string' }, group: { type: 'string' } },
  ['name', 'kind'],
);
const parentRefs = { type: 'array', minItems: 1, items: { type: 'object', required: ['name'] } };
const backendRefs = {
  ...{ type: 'array', minItems: 1 },
  items: strict({ name: { type: 'string' }, port: { type: 'integer' } }, ['name', 'port']),
};
const hostnames = { type: 'array', minItems: 1, items: { type: 'string' } };
const prometheusTrigger = strict(
  {
    ...{ type: { const: 'prometheus' }, metricType: { const: 'AverageValue' } },
    metadata: strict(
      {
        ...{ serverAddress: { type: 'string', pattern: '^http' }, query: { type: 'string' } },
        threshold: { type: 'string' },
      },
      ['serverAddress', 'query', 'threshold'],
    ),
  },
  ['type', 'metadata'],
);

/** `spec` of custom kinds: the fields that the chart renders, and no others. */
const CUSTOM = {
  'monitoring.coreos.com/v1/PodMonitor': strict(
    { ...monitored, podMetricsEndpoints: { type: 'array', minItems: 1, items: endpoint } },
    ['selector', 'podMetricsEndpoints'],
  ),
  'monitoring.coreos.com/v1/ServiceMonitor': strict(
    { ...monitored, endpoints: { type: 'array', minItems: 1, items: endpoint } },
    ['selector', 'endpoints'],
  ),
  'monitoring.coreos.com/v1/PrometheusRule': strict({ groups: { type: 'array', minItems: 1 } }),
  'cert-manager.io/v1/Issuer': strict({
    ...{ selfSigned: { type: 'object' }, ca: strict({ secretName: { type: 'string' } }) },
  }),
  'cert-manager.io/v1/Certificate': strict(
    {
      ...{
        secretName: { type: 'string' },
        isCA: { type: 'boolean' },
        commonName: { type: 'string' },
      },
      ...{ duration: { type: 'string' }, renewBefore: { type: 'string' }, dnsNames: hostnames },
      ...{ usages: { type: 'array' }, issuerRef },
      privateKey: strict({
        ...{ algorithm: { const: 'ECDSA' }, size: { const: 256 } },
        rotationPolicy: { const: 'Always' },
      }),
    },
    ['secretName', 'issuerRef'],
  ),
  'keda.sh/v1alpha1/ScaledObject': strict(
    {
      scaleTargetRef: strict({
        ...{ apiVersion: { const: 'apps/v1' }, kind: { type: 'string' }, name: { type: 'string' } },
      }),
      ...{ minReplicaCount: { type: 'integer' }, maxReplicaCount: { type: 'integer' } },
      pollingInterval: { type: 'integer' },
      fallback: strict({ failureThreshold: { type: 'integer' }, replicas: { type: 'integer' } }),
      advanced: { type: 'object' },
      triggers: { type: 'array', minItems: 1, items: prometheusTrigger },
    },
    ['scaleTargetRef', 'triggers'],
  ),
  'gateway.networking.k8s.io/v1/HTTPRoute': strict(
    { parentRefs, hostnames, rules: { type: 'array', minItems: 1 } },
    ['parentRefs', 'rules'],
  ),
  'gateway.networking.k8s.io/v1alpha2/TLSRoute': strict(
    { parentRefs, hostnames, rules: { type: 'array', items: strict({ backendRefs }) } },
    ['parentRefs', 'rules'],
  ),
  'grafana.integreatly.org/v1beta1/GrafanaDashboard': strict(
    {
      folder: { type: 'string' },
      instanceSelector: { type: 'object' },
      configMapRef: strict({ name: { type: 'string' }, key: { type: 'string' } }),
    },
    ['instanceSelector', 'configMapRef'],
  ),
};

/** What is wrong with an object; nothing where it holds. A kind that nobody knows is wrong. */
export function faultsOf(object) {
  const kind = `${object.apiVersion}/${object.kind}`;
  const where = `${object.kind}/${object.metadata?.name}`;
  const name = names.get(kind);
  if (name === undefined && CUSTOM[kind] === undefined) return [`${where}: nobody knows ${kind}`];
  const schema = name === undefined ? CUSTOM[kind] : { $ref: `${data.$id}#/$defs/${name}` };
  const subject = name === undefined ? object.spec : object;
  const validate =
    ajv.getSchema(kind) ?? ajv.addSchema({ ...schema, $id: kind }, kind).getSchema(kind);
  if (validate(subject)) return [];
  return validate.errors.map(({ instancePath, message, params }) =>
    `${where}${instancePath} ${message} ${params.additionalProperty ?? ''}`.trim(),
  );
}

/** The custom kinds that the chart may render. */
export const CUSTOM_KINDS = Object.keys(CUSTOM).map((kind) => kind.split('/').at(-1));
