import type {
  LogLevelsView,
  SettingView,
  WireComponentLevel,
  WireSetting,
} from '#libs/api-contracts';

/** The settings of a node. */
export interface NodeSettings {
  readonly node: string;
  readonly settings: readonly WireSetting[];
}

/** One list of what nodes say, by key; where they differ, what each says. */
export function mergeSettings(nodes: readonly NodeSettings[]): SettingView[] {
  const byKey = new Map<string, { node: string; setting: WireSetting }[]>();
  for (const { node, settings } of nodes) {
    for (const setting of settings) {
      const said = byKey.get(setting.path) ?? [];
      said.push({ node, setting });
      byKey.set(setting.path, said);
    }
  }
  return [...byKey.values()].flatMap((said) => {
    const [first] = said;
    return first === undefined ? [] : [merged(first.setting, said)];
  });
}

/** What nodes log, as it is shown. */
export function presentLevels(
  node: string,
  levels: readonly WireComponentLevel[],
): LogLevelsView['nodes'][number] {
  const sources = { set: 'component', all: 'node', config: 'config' } as const;
  return {
    node,
    components: levels.map(({ component, level, source, untilMs }) => ({
      ...{ component, level, source: sources[source] },
      until: untilMs === undefined ? null : new Date(untilMs).toISOString(),
    })),
  };
}

function merged(
  { path, value, default: fallback, source, hot, unit }: WireSetting,
  said: readonly { readonly node: string; readonly setting: WireSetting }[],
): SettingView {
  const texts = new Set(
    said.map(({ setting }) => JSON.stringify([setting.value ?? null, setting.source])),
  );
  const differ = texts.size > 1;
  return {
    ...{ key: path, value: value ?? null, default: fallback ?? null, source },
    change: hot === undefined ? 'restart' : 'hot',
    applies_to: hot ?? null,
    unit: unit ?? null,
    nodes: differ
      ? said.map(({ node, setting }) => ({
          ...{ node, value: setting.value ?? null, source: setting.source },
        }))
      : [],
  };
}
