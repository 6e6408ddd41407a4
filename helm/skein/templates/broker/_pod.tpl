{{- define "skein.broker.pod" -}}
{{- $broker := .Values.broker -}}
{{- $secrets := include "skein.secrets.broker" . | fromYamlArray -}}
{{- $context := dict "root" . "values" $broker "component" "broker" "isDeployment" (eq $broker.workload "Deployment") "secrets" $secrets "configMap" (printf "%s-broker" (include "skein.fullname" .)) -}}
{{ include "skein.podBasics" $context }}
terminationGracePeriodSeconds: {{ include "skein.graceSeconds" . }}
securityContext:
  {{- toYaml $broker.podSecurityContext | nindent 2 }}
{{- include "skein.placement" $context }}
{{- include "skein.podExtras" $context }}
containers:
  - name: broker
    image: {{ include "skein.image" (dict "root" . "image" $broker.image) }}
    imagePullPolicy: {{ $broker.image.pullPolicy }}
    securityContext:
      {{- toYaml $broker.securityContext | nindent 6 }}
    {{- with $broker.extra.args }}
    args:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    env:
      {{- include "skein.env" $context | nindent 6 }}
      # The image opens these to everybody; a variable beats the file.
      {{- range list "OPS_HOST" "LISTENERS_TCP_HOST" "LISTENERS_WS_HOST" }}
      - name: SKEIN_{{ . }}
        value: {{ $.Values.bindAddress | quote }}
      {{- end }}
    {{- with $broker.extra.envFrom }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    ports:
      {{- range $name := splitList " " (include "skein.listeners" .) | compact }}
      - name: {{ include "skein.portName" $name }}
        containerPort: {{ (get $.Values.listeners $name).port }}
        protocol: TCP
      {{- end }}
      - name: ops
        containerPort: {{ $broker.opsPort }}
        protocol: TCP
    {{- range $probe, $path := dict "startupProbe" "/healthz/startup" "livenessProbe" "/healthz/live" "readinessProbe" "/healthz/ready" }}
    {{ $probe }}:
      httpGet: { path: {{ $path }}, port: ops }
      {{- toYaml (get $broker $probe) | nindent 6 }}
    {{- end }}
    {{- if $broker.extra.lifecycle }}
    lifecycle:
      {{- toYaml $broker.extra.lifecycle | nindent 6 }}
    {{- else if gt (int .Values.drain.preStopSeconds) 0 }}
    lifecycle:
      preStop:
        {{- if include "skein.since" (dict "root" . "version" "1.30.0") }}
        sleep: { seconds: {{ .Values.drain.preStopSeconds }} }
        {{- else }}
        exec:
          command: [node, -e, "setTimeout(() => {}, {{ .Values.drain.preStopSeconds }}000)"]
        {{- end }}
    {{- end }}
    resources:
      {{- toYaml $broker.resources | nindent 6 }}
    volumeMounts:
      {{- include "skein.volumeMounts" $context | nindent 6 }}
      {{- if $broker.persistence.enabled }}
      - name: data
        mountPath: /var/lib/skein
      {{- end }}
  {{- with include "skein.sidecarsBeside" $context | trim }}
  {{- . | nindent 2 }}
  {{- end }}
volumes:
  {{- include "skein.volumes" $context | nindent 2 }}
{{- end -}}

{{/* A port's name has at most 15 characters, so that of a longer listener ends in a hash of it. */}}
{{- define "skein.portName" -}}
{{- if le (len .) 15 -}}{{ . }}{{- else -}}{{ printf "%s-%s" (trunc 8 . | trimSuffix "-") (sha256sum . | trunc 6) }}{{- end -}}
{{- end -}}
