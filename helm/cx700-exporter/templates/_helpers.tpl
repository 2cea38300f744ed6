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

{{/* The pods of an instance: list of the context and the instance. */}}
{{- define "cx700.instanceSelector" -}}
{{ include "cx700.selector" (first .) }}
app.kubernetes.io/component: {{ (last .).name }}
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

{{/* Refuses what the schema cannot tell. */}}
{{- define "cx700.refuse" -}}
{{- if and .Values.existingConfigSecret .Values.existingConfigMap -}}
{{- fail "existingConfigSecret and existingConfigMap are both given; the site file comes from one of them" -}}
{{- end -}}
{{- $names := list -}}
{{- range .Values.instances -}}
{{- if has .name $names -}}
{{- fail (printf "instances: two have the name %s" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- $name := printf "%s-%s" (include "cx700.fullname" $) .name -}}
{{- $kind := ternary "StatefulSet" "Service" (gt (int .shards) 1) -}}
{{- $longest := get (dict "StatefulSet" 52 "Service" 63) $kind -}}
{{- if gt (len $name) $longest -}}
{{- fail (printf "%s: the name of a %s has at most %d letters; shorten fullnameOverride or the instance's name" $name $kind $longest) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
The instances in full, as JSON below "instances": what one does not give itself counts from the common values. An empty
list that it gives stands.
*/}}
{{- define "cx700.instances" -}}
{{- include "cx700.refuse" . -}}
{{- $common := pick .Values "resources" "capabilities" "podSecurityContext" "secrets" "extraVolumes" "extraVolumeMounts" "extraContainers" -}}
{{- $_ := set $common "port" 10700 -}}
{{- $instances := deepCopy .Values.instances -}}
{{- range $instance := $instances -}}
{{- $policy := $instance.networkPolicy | default dict -}}
{{- $_ := set $instance "networkPolicy" $policy -}}
{{- range list (list $instance $common) (list $policy $.Values.networkPolicy) -}}
{{- $own := first . -}}
{{- range $key, $value := last . -}}
{{- if not (hasKey $own $key) -}}
{{- $_ := set $own $key $value -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "instances" $instances | toJson -}}
{{- end -}}

{{/* The site file, and the files that it names, for the exporter's pod and that of "helm test": list of the context and the instance. */}}
{{- define "cx700.volumes" -}}
{{- $ := first . -}}
- name: config
  {{- if $.Values.existingConfigSecret }}
  secret: {secretName: {{ $.Values.existingConfigSecret | quote }}, defaultMode: 0440}
  {{- else }}
  configMap: {name: {{ $.Values.existingConfigMap | default (include "cx700.fullname" $) | quote }}}
  {{- end }}
{{- range (last .).secrets }}
- name: {{ printf "secret-%s" .name }}
  secret: {secretName: {{ .secretName | quote }}, defaultMode: 0440}
{{- end }}
{{- with (last .).extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Where they are in the container: the instance. */}}
{{- define "cx700.mounts" -}}
- {name: config, mountPath: /etc/cx700_exporter/config, readOnly: true}
{{- range .secrets }}
- {name: {{ printf "secret-%s" .name }}, mountPath: {{ printf "/etc/cx700_exporter/secrets/%s" .name }}, readOnly: true}
{{- end }}
{{- with .extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The instance. Kubernetes makes no capability ambient: whoever is not root has none of those that are added. */}}
{{- define "cx700.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
  {{- with .capabilities.add }}
  add: {{ toJson . }}
runAsUser: 0
runAsNonRoot: false
  {{- end }}
{{- end -}}

{{/* All labels, and further ones that count before them: list of the context and a dict. */}}
{{- define "cx700.labelsWith" -}}
{{- mergeOverwrite (include "cx700.labels" (first .) | fromYaml) (last . | default dict) | toYaml -}}
{{- end -}}

{{/* How Prometheus scrapes: the values serviceMonitor or podMonitor. */}}
{{- define "cx700.endpoint" -}}
port: http
interval: {{ .interval }}
scrapeTimeout: {{ .scrapeTimeout }}
scheme: {{ .scheme }}
# network and target are the exporter's own labels.
honorLabels: true
{{- range $key := list "tlsConfig" "basicAuth" "relabelings" "metricRelabelings" }}
{{- with index $ $key }}
{{ $key }}: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}
