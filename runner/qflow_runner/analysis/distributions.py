"""The distributions whose imports have another name. What is not listed here is installed by its own name."""

_TABLE = """
attr attrs
Bio biopython
bs4 beautifulsoup4
Crypto pycryptodome
Cryptodome pycryptodomex
cv2 opencv-python-headless
dateutil python-dateutil
dns dnspython
docx python-docx
dotenv python-dotenv
faiss faiss-cpu
fitz pymupdf
git gitpython
github pygithub
gitlab python-gitlab
googleapiclient google-api-python-client
google_auth_oauthlib google-auth-oauthlib
google.auth google-auth
google.oauth2 google-auth
google.protobuf protobuf
google.generativeai google-generativeai
google.genai google-genai
google.cloud.bigquery google-cloud-bigquery
google.cloud.firestore google-cloud-firestore
google.cloud.pubsub google-cloud-pubsub
google.cloud.pubsub_v1 google-cloud-pubsub
google.cloud.secretmanager google-cloud-secret-manager
google.cloud.storage google-cloud-storage
google.cloud.translate google-cloud-translate
google.cloud.vision google-cloud-vision
azure.core azure-core
azure.cosmos azure-cosmos
azure.identity azure-identity
azure.keyvault.secrets azure-keyvault-secrets
azure.servicebus azure-servicebus
azure.storage.blob azure-storage-blob
azure.storage.queue azure-storage-queue
jose python-jose
jwt pyjwt
kafka kafka-python
ldap python-ldap
Levenshtein levenshtein
magic python-magic
MySQLdb mysqlclient
mysql.connector mysql-connector-python
nacl pynacl
OpenSSL pyopenssl
paho paho-mqtt
PIL pillow
pkg_resources setuptools
pptx python-pptx
psycopg psycopg[binary]
psycopg2 psycopg2-binary
pythonjsonlogger python-json-logger
ruamel.yaml ruamel.yaml
sentence_transformers sentence-transformers
serial pyserial
skimage scikit-image
sklearn scikit-learn
slack_sdk slack-sdk
slugify python-slugify
snowflake.connector snowflake-connector-python
socks pysocks
speech_recognition SpeechRecognition
telegram python-telegram-bot
umap umap-learn
usb pyusb
websocket websocket-client
wx wxpython
yaml pyyaml
youtube_transcript_api youtube-transcript-api
zmq pyzmq
"""
DISTRIBUTIONS = {line.split()[0]: line.split()[1] for line in _TABLE.strip().splitlines()}

_SHARED = frozenset(name.rpartition(".")[0] for name in DISTRIBUTIONS if "." in name)
"""Packages that many distributions bring a part of, so that a part alone says which one it is."""


def distribution_of(module: str, names: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The distributions that ``import module`` or ``from module import names`` needs."""
    if module in _SHARED:
        # As in: from google.cloud import storage
        parts = (DISTRIBUTIONS.get(f"{module}.{name}") for name in names)
        found = tuple(dict.fromkeys(part for part in parts if part))
        if found:
            return found
    prefix = module
    while prefix:
        if prefix in DISTRIBUTIONS:
            return (DISTRIBUTIONS[prefix],)
        prefix = prefix.rpartition(".")[0]
    top = module.partition(".")[0]
    return () if any(shared.partition(".")[0] == top for shared in _SHARED) else (top,)
