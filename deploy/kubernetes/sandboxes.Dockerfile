# The sandbox images as files in an image, so that a Docker in a pod gets them from the cluster's own registry:
#   docker save "$(qflow images list ...)": docs/install/kubernetes.md has the commands.
FROM docker:28-cli
COPY *.tar /images/
