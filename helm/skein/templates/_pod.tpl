{{/* A Secret as files: `(list name secret)` of a volume and where it lies. */}}
{{- define "skein.secretVolume" -}}
- name: {{ first . }}
  secret:
    secretName: {{ last . }}
    defaultMode: 0440
{{- end -}}

{{/* Volumes of Redis' secrets, of both components, as a YAML list of {name, secret, path}. */}}
{{- define "skein.secrets.redis" -}}
{{- $redis := .Values.redis -}}
{{- if include "skein.hasRedis" . }}
{{- with $redis.existingSecret }}
- { name: redis, secret: {{ . | quote }}, path: /etc/skein/redis }
{{- end }}
{{- if eq $redis.mode "sentinel" }}
{{- with $redis.sentinelExistingSecret }}
- { name: sentinel, secret: {{ . | quote }}, path: /etc/skein/sentinel }
{{- end }}
{{- end }}
{{- if $redis.tls.enabled }}
{{- with $redis.tls.caSecret }}
- { name: redis-ca, secret: {{ . | quote }}, path: /etc/skein/redis-ca }
{{- end }}
{{- with $redis.tls.clientSecret }}
- { name: redis-client, secret: {{ . | quote }}, path: /etc/skein/redis-client }
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "skein.secrets.broker" -}}
{{- include "skein.secrets.redis" . }}
{{- $asksClients := false }}
{{- range $name := splitList " " (include "skein.listeners" .) | compact }}
{{- $listener := get $.Values.listeners $name }}
{{- if include "skein.isTls" $listener.type }}
- { name: tls-{{ $name }}, secret: {{ include "skein.tlsSecret" (dict "root" $ "listener" $listener) | quote }}, path: /etc/skein/tls/{{ $name }} }
{{- if ne (default "none" (default (dict) $listener.tls).clientCertificate) "none" }}{{ $asksClients = true }}{{ end }}
{{- range $index, $one := (default (dict) $listener.tls).sni }}
- { name: sni-{{ $name }}-{{ $index }}, secret: {{ $one.existingSecret | quote }}, path: /etc/skein/sni/{{ $name }}-{{ $index }} }
{{- end }}
{{- end }}
{{- end }}
{{- if $asksClients }}
- { name: client-ca, secret: {{ .Values.tls.clientCa.existingSecret | quote }}, path: /etc/skein/client-ca }
{{- end }}
{{- with .Values.tls.ticketSecret.existingSecret }}
- { name: tickets, secret: {{ . | quote }}, path: /etc/skein/tickets }
{{- end }}
{{- if .Values.kafka.enabled }}
{{- if .Values.kafka.tls.enabled }}
{{- with .Values.kafka.tls.caSecret }}
- { name: kafka-ca, secret: {{ . | quote }}, path: /etc/skein/kafka-ca }
{{- end }}
{{- with .Values.kafka.tls.clientSecret }}
- { name: kafka-client, secret: {{ . | quote }}, path: /etc/skein/kafka-client }
{{- end }}
{{- end }}
{{- if .Values.kafka.sasl.mechanism }}
- { name: kafka, secret: {{ .Values.kafka.sasl.existingSecret | quote }}, path: /etc/skein/kafka }
{{- end }}
{{- end }}
{{- range $index, $files := .Values.broker.secretFiles }}
- { name: secret-{{ $index }}, secret: {{ $files.secretName | quote }}, path: {{ $files.mountPath | quote }} }
{{- end }}
{{- end -}}

{{- define "skein.secrets.api" -}}
{{- include "skein.secrets.redis" . }}
{{- with .Values.api.key.existingSecret }}
- { name: api-key, secret: {{ . | quote }}, path: /etc/skein/api-key }
{{- end }}
{{- if .Values.api.backups.enabled }}
{{- with .Values.api.backups.key.existingSecret }}
- { name: backup-key, secret: {{ . | quote }}, path: /etc/skein/backup-key }
{{- end }}
{{- end }}
{{- range $index, $files := .Values.api.secretFiles }}
- { name: secret-{{ $index }}, secret: {{ $files.secretName | quote }}, path: {{ $files.mountPath | quote }} }
{{- end }}
{{- end -}}

{{/* Environment of a process of Node.js: `(dict "root" $ "values" .Values.broker)`. */}}
{{- define "skein.env" -}}
- name: SKEIN_CONFIG
  value: /etc/skein/config/skein.yaml
- name: SKEIN_NODE_ID
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: SKEIN_LOG_FORMAT
  value: {{ .root.Values.log.format }}
- name: UV_THREADPOOL_SIZE
  value: {{ default 4 .values.threadPoolSize | toString | quote }}
{{- $options := list }}
{{- with (default (dict) .values.resources.limits).memory }}
{{- $options = append $options (printf "--max-old-space-size=%s" (include "skein.heapMegabytes" .)) }}
{{- end }}
{{- with .values.nodeOptions }}{{ $options = append $options . }}{{ end }}
{{- with $options }}
- name: NODE_OPTIONS
  value: {{ join " " . | quote }}
{{- end }}
{{- with .values.extra.env }}
{{ tpl (toYaml .) $.root }}
{{- end }}
{{- end -}}

{{/* How pods of a component keep apart: `(dict "root" $ "component" "broker" "values" .Values.broker "isDeployment" true)`. */}}
{{- define "skein.placement" -}}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .values.affinity }}
affinity:
  {{- toYaml .values.affinity | nindent 2 }}
{{- else if eq .values.podAntiAffinity "soft" }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "skein.selector" . | nindent 14 }}
{{- else if eq .values.podAntiAffinity "hard" }}
affinity:
  podAntiAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "skein.selector" . | nindent 12 }}
{{- end }}
{{- if .values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml .values.topologySpreadConstraints | nindent 2 }}
{{- else if ne .values.spread "none" }}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: {{ ternary "DoNotSchedule" "ScheduleAnyway" (eq $.values.spread "hard") }}
    labelSelector:
      matchLabels:
        {{- include "skein.selector" $ | nindent 8 }}
    {{- if $.isDeployment }}
    matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* What every pod has, whatever runs in it. */}}
{{- define "skein.podBasics" -}}
serviceAccountName: {{ include "skein.serviceAccount" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- $secrets := uniq (concat .root.Values.global.imagePullSecrets (default (list) .values.image.pullSecrets)) }}
{{- with $secrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "skein.podExtras" -}}
{{- $extra := .values.extra -}}
{{- range $key := list "priorityClassName" "runtimeClassName" "schedulerName" }}
{{- with get $extra $key }}
{{ $key }}: {{ . }}
{{- end }}
{{- end }}
{{- with $extra.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $extra.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $isNative := include "skein.since" (dict "root" .root "version" "1.29.0") }}
{{- $before := $extra.initContainers }}
{{- if and $extra.sidecars $isNative }}
{{- range $extra.sidecars }}{{ $before = append $before (merge (dict "restartPolicy" "Always") .) }}{{ end }}
{{- end }}
{{- with $before }}
initContainers:
  {{- tpl (toYaml .) $.root | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "skein.sidecarsBeside" -}}
{{- if not (include "skein.since" (dict "root" .root "version" "1.29.0")) }}
{{- with .values.extra.sidecars }}
{{ tpl (toYaml .) $.root }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "skein.podMetadata" -}}
labels:
  {{- include "skein.labels" . | nindent 2 }}
  {{- with include "skein.templated" (dict "root" .root "map" .values.extra.podLabels) | trim }}
  {{- . | nindent 2 }}
  {{- end }}
annotations:
  checksum/config: {{ .config | sha256sum }}
  {{- with include "skein.templated" (dict "root" .root "map" .values.extra.podAnnotations) | trim }}
  {{- . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* `(dict "secrets" <YAML list> ...)` as volumes and as mounts. */}}
{{- define "skein.volumes" -}}
- name: config
  configMap:
    name: {{ .configMap }}
- name: tmp
  emptyDir: {}
{{- range .secrets }}
{{ include "skein.secretVolume" (list .name .secret) }}
{{- end }}
{{- with .values.extra.volumes }}
{{ tpl (toYaml .) $.root }}
{{- end }}
{{- end -}}

{{- define "skein.volumeMounts" -}}
- name: config
  mountPath: /etc/skein/config
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- range .secrets }}
- name: {{ .name }}
  mountPath: {{ .path }}
  readOnly: true
{{- end }}
{{- with .values.extra.volumeMounts }}
{{ tpl (toYaml .) $.root }}
{{- end }}
{{- end -}}
