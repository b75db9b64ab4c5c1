# Memory of this process in MB, by a name in /proc/self/status: VmRSS is what it has, VmHWM the most it had
memory <- function(field) {
  line <- grep(field, readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}
