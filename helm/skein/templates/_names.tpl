{{/* Release and chart, at most 40 characters: what is appended to it stays below 63, and pod names below the 64 of a node id. */}}
{{- define "skein.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- if gt (len $full) 40 -}}
{{- printf "%s-%s" (trunc 31 $full | trimSuffix "-") (sha256sum $full | trunc 8) -}}
{{- else -}}
{{- $full -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "skein.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "skein.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "skein.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Selector of a component: `(dict "root" $ "component" "broker")`. Never the version, nor the chart. */}}
{{- define "skein.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "skein.labels" -}}
{{ include "skein.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: skein
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- range $name, $value := .root.Values.commonLabels }}
{{ $name }}: {{ tpl $value $.root | quote }}
{{- end }}
{{- end -}}

{{/* A map whose values are templates: `(dict "root" $ "map" ...)`. */}}
{{- define "skein.templated" -}}
{{- range $name, $value := .map }}
{{ $name }}: {{ tpl $value $.root | quote }}
{{- end }}
{{- end -}}

{{/* metadata of an object: root, component, name; optional suffix-free name, labels, annotations (maps of templates), namespace. */}}
{{- define "skein.metadata" -}}
name: {{ .name }}
namespace: {{ default (include "skein.namespace" .root) .namespace }}
labels:
  {{- include "skein.labels" . | nindent 2 }}
  {{- with include "skein.templated" (dict "root" .root "map" .labels) | trim }}
  {{- . | nindent 2 }}
  {{- end }}
{{- $annotations := merge (dict) (default (dict) .annotations) .root.Values.commonAnnotations }}
{{- if $annotations }}
annotations:
  {{- include "skein.templated" (dict "root" .root "map" $annotations) | trim | nindent 2 }}
{{- end }}
{{- end -}}

{{/* An image: `(dict "root" $ "image" .Values.broker.image)`; a digest wins over a tag. */}}
{{- define "skein.image" -}}
{{- $registry := default .image.registry .root.Values.global.imageRegistry -}}
{{- $path := ternary (printf "%s/%s" $registry .image.repository) .image.repository (ne $registry "") -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $path .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $path (default .root.Chart.AppVersion .image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Megabytes of a quantity such as 1Gi, 1G, 512Mi or 500000000; three quarters of it. */}}
{{- define "skein.heapMegabytes" -}}
{{- $quantity := toString . -}}
{{- $number := regexFind "^[0-9]+(\\.[0-9]+)?" $quantity -}}
{{- $unit := trimPrefix $number $quantity -}}
{{- $factors := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- if or (eq $number "") (not (hasKey $factors $unit)) -}}
{{- fail (printf "resources.limits.memory: %q is not a quantity such as 1Gi, 512Mi or 2G." $quantity) -}}
{{- end -}}
{{- divf (mulf (float64 $number) (get $factors $unit) 0.75) 1048576 | floor | int -}}
{{- end -}}

{{/* Whether the cluster is at least of a version. */}}
{{- define "skein.since" -}}
{{- if semverCompare (printf ">=%s-0" .version) .root.Capabilities.KubeVersion.Version -}}true{{- end -}}
{{- end -}}
