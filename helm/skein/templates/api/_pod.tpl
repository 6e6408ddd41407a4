{{- define "skein.api.pod" -}}
{{- $api := .Values.api -}}
{{- $secrets := include "skein.secrets.api" . | fromYamlArray -}}
{{- $context := dict "root" . "values" $api "component" "api" "isDeployment" true "secrets" $secrets "configMap" (printf "%s-api" (include "skein.fullname" .)) -}}
{{ include "skein.podBasics" $context }}
terminationGracePeriodSeconds: {{ $api.terminationGracePeriodSeconds }}
securityContext:
  {{- toYaml $api.podSecurityContext | nindent 2 }}
{{- include "skein.placement" $context }}
{{- include "skein.podExtras" $context }}
containers:
  - name: api
    image: {{ include "skein.image" (dict "root" . "image" $api.image) }}
    imagePullPolicy: {{ $api.image.pullPolicy }}
    securityContext:
      {{- toYaml $api.securityContext | nindent 6 }}
    {{- with $api.extra.args }}
    args:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    env:
      {{- include "skein.env" $context | nindent 6 }}
      # The image opens these to everybody; a variable beats the file.
      {{- range list "OPS_HOST" "API_HOST" }}
      - name: SKEIN_{{ . }}
        value: {{ $.Values.bindAddress | quote }}
      {{- end }}
    {{- with $api.extra.envFrom }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    ports:
      - { name: http, containerPort: {{ $api.port }}, protocol: TCP }
      - { name: ops, containerPort: {{ $api.opsPort }}, protocol: TCP }
    startupProbe:
      httpGet: { path: /healthz/startup, port: ops }
      periodSeconds: 2
      timeoutSeconds: 2
      failureThreshold: 60
    livenessProbe:
      httpGet: { path: /healthz/live, port: ops }
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    readinessProbe:
      httpGet: { path: /healthz/ready, port: ops }
      periodSeconds: 3
      timeoutSeconds: 2
      failureThreshold: 2
    {{- with $api.extra.lifecycle }}
    lifecycle:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    resources:
      {{- toYaml $api.resources | nindent 6 }}
    volumeMounts:
      {{- include "skein.volumeMounts" $context | nindent 6 }}
      {{- if $api.backups.enabled }}
      - name: backups
        mountPath: /var/lib/skein/backups
      {{- end }}
  {{- with include "skein.sidecarsBeside" $context | trim }}
  {{- . | nindent 2 }}
  {{- end }}
volumes:
  {{- include "skein.volumes" $context | nindent 2 }}
  {{- if $api.backups.enabled }}
  - name: backups
    persistentVolumeClaim:
      claimName: {{ default (printf "%s-backups" (include "skein.fullname" .)) $api.backups.existingClaim }}
  {{- end }}
{{- end -}}
