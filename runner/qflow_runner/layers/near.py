"""Names of packages that somebody may have meant. Known names alone are suggested: a guess could be a stranger's trap."""

import difflib
from collections.abc import Mapping

_KNOWN = """
aiohttp airtable altair anthropic anyio apscheduler arrow asyncpg attrs azure-identity azure-storage-blob babel beautifulsoup4
biopython bokeh boto3 botocore cachetools celery certifi chardet charset-normalizer click cloudpickle cohere colorama
contourpy cryptography cssselect curl-cffi cycler dask datasets defusedxml dnspython docx2txt duckdb elasticsearch email-validator
et-xmlfile faiss-cpu faker fastapi feedparser ffmpeg-python filelock flask fonttools fpdf2 fsspec gensim geopandas geopy
gitpython google-api-python-client google-auth google-cloud-bigquery google-cloud-storage gspread h11 html2text html5lib
httpcore httpx httpx-sse huggingface-hub humanize hubspot-api-client icalendar idna imageio jinja2 jmespath joblib jsonpath-ng
jsonschema kafka-python kiwisolver langchain langchain-community langchain-core langchain-openai langdetect levenshtein
lightgbm litellm llama-index loguru lxml markdown markdownify markupsafe matplotlib mechanize mistralai more-itertools mpmath msgpack
mutagen mysql-connector-python mysqlclient nbformat networkx nltk notion-client numba numpy oauthlib odfpy ollama
openai opencv-python-headless openpyxl orjson packaging pandas paramiko pdf2image pdfminer-six pdfplumber peewee phonenumbers
pikepdf pillow pinecone plotly polars prettytable psutil psycopg psycopg2-binary py7zr pyarrow pycryptodome pydantic pygments
pyjwt pymongo pymupdf pymysql pynacl pyodbc pyopenssl pypdf pypdf2 pyperclip pyserial pysocks pyspark pytesseract
python-dateutil python-docx python-dotenv python-jose python-levenshtein python-magic python-pptx python-slugify
python-telegram-bot pytz pyyaml pyzmq qdrant-client qrcode rapidfuzz redis regex reportlab requests requests-oauthlib
rich scikit-image scikit-learn scipy scrapy seaborn selenium sendgrid sentence-transformers sentencepiece shapely shopifyapi
simplejson six slack-sdk snowflake-connector-python soupsieve spacy sqlalchemy statsmodels streamlit stripe sympy tabulate
tenacity tiktoken tokenizers toml torch torchvision tqdm transformers twilio typing-extensions tzdata tzlocal unidecode
urllib3 validators weasyprint websocket-client websockets wordcloud xgboost xlrd xlsxwriter xmltodict yarl yfinance
youtube-transcript-api zstandard
"""
KNOWN = tuple(_KNOWN.split())

MODULES = {
    "bs4": "beautifulsoup4",
    "crypto": "pycryptodome",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "jwt": "pyjwt",
    "opencv": "opencv-python-headless",
    "pil": "pillow",
    "pptx": "python-pptx",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""What people write who know the module and not its distribution."""

STAND_INS = {
    "mysqlclient": "pymysql",
    "psycopg2": "psycopg2-binary",
    "psycopg-c": "psycopg[binary]",
    "pycrypto": "pycryptodome",
    "opencv": "opencv-python-headless",
}
"""Packages that come as source alone, and who does the same as a wheel."""


def near_names(name: str, modules: Mapping[str, str] = MODULES) -> list[str]:
    """At most three known packages whose names are like this one, likeliest first."""
    low = name.lower().replace("_", "-")
    direct = [modules[low]] if low in modules else []
    close = difflib.get_close_matches(low, KNOWN, n=3, cutoff=0.75)
    return list(dict.fromkeys([*direct, *close]))[:3]


def did_you_mean(name: str) -> str:
    """A sentence; empty when nothing is near."""
    names = near_names(name)
    return f"Did you mean {' or '.join(names)}?" if names else ""
