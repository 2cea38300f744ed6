{{- define "cx700.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "cx700.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "cx700.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "cx700.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "cx700.selector" -}}
app.kubernetes.io/name: {{ include "cx700.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "cx700.labels" -}}
{{ include "cx700.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "cx700.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The site file, and the files that it names: for the exporter's pod and that of "helm test". */}}
{{- define "cx700.volumes" -}}
- name: config
  {{- if .Values.existingConfigSecret }}
  secret: {secretName: {{ .Values.existingConfigSecret | quote }}, defaultMode: 0440}
  {{- else }}
  configMap: {name: {{ .Values.existingConfigMap | default (include "cx700.fullname" .) | quote }}}
  {{- end }}
{{- range .Values.secrets }}
- name: {{ printf "secret-%s" .name }}
  secret: {secretName: {{ .secretName | quote }}, defaultMode: 0440}
{{- end }}
{{- end -}}

{{- define "cx700.mounts" -}}
- {name: config, mountPath: /etc/cx700_exporter/config, readOnly: true}
{{- range .Values.secrets }}
- {name: {{ printf "secret-%s" .name }}, mountPath: {{ printf "/etc/cx700_exporter/secrets/%s" .name }}, readOnly: true}
{{- end }}
{{- end -}}

{{- define "cx700.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
  {{- with .Values.capabilities.add }}
  add: {{ toJson . }}
  {{- end }}
{{- end -}}

{{/* All labels, and further ones that count before them: list of the context and a dict. */}}
{{- define "cx700.labelsWith" -}}
{{- mergeOverwrite (include "cx700.labels" (first .) | fromYaml) (last . | default dict) | toYaml -}}
{{- end -}}
