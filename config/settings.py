"""Django settings. Everything that differs between machines comes from the environment.

Unset variables mean the embedded set-up: SQLite, files on disk and a broker made
of files, all under TONALIST_DATA. `.env` beside manage.py is read first.
"""

from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

from config.environment import (
    accel_prefix,
    broker_settings,
    cache_settings,
    data_folder,
    database_settings,
    diffusion_settings,
    email_settings,
    env,
    job_limits,
    log_format,
    metrics_token,
    secret_key,
    sign_up_policy,
    storage_settings,
    webhook_allow,
)
from config.operations.schedule import beat_schedule
from config.queues import QUEUE_OF, QUEUES, celery_queues
from variants.sources.generated import EDITOR, GENERATOR, WRITER

BASE_DIR = Path(__file__).resolve().parent.parent
env.read_env(BASE_DIR / ".env")

TONALIST_DATA = data_folder(default=BASE_DIR / "data")

DEBUG = env.bool("DEBUG", default=True)
SECRET_KEY = secret_key(debug=DEBUG, data=TONALIST_DATA)
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])  # what older keys have signed still holds
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "config.apps.ConfigConfig",
    "evaluation.apps.EvaluationConfig",
    "learning.apps.LearningConfig",
    "collection.apps.CollectionConfig",
    "variants.apps.VariantsConfig",
    "rest_framework",
    "drf_spectacular",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "axes",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "config.operations.middleware.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "collection.headers.HeadersMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "collection.middleware.ActorMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.accounts.account_context",
            ],
        },
    },
]

DATABASES = {"default": database_settings(TONALIST_DATA)}
CACHES = {"default": cache_settings()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "researcher:study-list"
LOGOUT_REDIRECT_URL = "login"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]

# Researchers' accounts.
SIGN_UP = sign_up_policy()
ACCOUNT_ADAPTER = "config.accounts.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_USERNAME_VALIDATORS = "config.accounts.username_validators"
ACCOUNT_USERNAME_BLACKLIST = ["admin", "participant", "root", "visitor", "worker"]  # names of the audit trail
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = "Tonalist: "
ACCOUNT_REAUTHENTICATION_REQUIRED = True
# Axes counts an account's tries from one address. These hold for all addresses together, and for codes of
# the second factor; an office may sit behind one address.
ACCOUNT_RATE_LIMITS = {"login": "300/m/ip", "login_failed": "300/m/ip,60/h/key", "signup": "60/m/ip"}
MFA_ADAPTER = "config.second_factors.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Tonalist"
MFA_ALLOW_UNVERIFIED_EMAIL = True  # a site without mail has second factors too

AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_SENSITIVE_PARAMETERS = ["login", "username", "ip_address"]  # some type their password there
AXES_DISABLE_ACCESS_LOG = True  # who signs in from where is nobody's business
AXES_USERNAME_CALLABLE = "config.accounts.guessed_username"
AXES_CLIENT_IP_CALLABLE = "config.accounts.guessing_address"
AXES_LOCKOUT_CALLABLE = "config.accounts.locked_out"

globals().update(email_settings())
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Tonalist <tonalist@localhost>")

LANGUAGE_CODE = "en"
# Participants' pages speak them, each named in itself; researchers' pages speak English.
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("ja", "日本語"), ("ko", "한국어"), ("es", "Español")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = TONALIST_DATA / "staticfiles"
STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise warns of a missing folder, and finds our files without it
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": storage_settings(TONALIST_DATA),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
MEDIA_URL = "/media/"  # never served as a folder: images go out by their opaque address
ACCEL_PREFIX = accel_prefix()  # nginx sends images after the site has allowed it; empty: the site sends them

DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
# Folders of this machine below it may be imported on the pages, by staff; empty for none.
IMPORT_FOLDER = env.str("IMPORT_FOLDER", default="")
SPECTACULAR_SETTINGS = {
    "TITLE": "Tonalist",
    "DESCRIPTION": "Studies of taste in colour and tone: how they are set up, who answered what, and the datasets "
    "and learners that come of it. docs/api.md is the short way in.",
    "VERSION": "1.0.0",
    "LICENSE": {"name": "Apache-2.0"},
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": ["collection.api.v1.schema.completed"],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
}

CELERY_BROKER_URL, CELERY_BROKER_TRANSPORT_OPTIONS = broker_settings(TONALIST_DATA)
# Each kind of work has a queue, an order in it and limits.
JOB_QUEUES = QUEUE_OF
JOB_HOURS = {name: kind.hours for name, kind in QUEUES.items()} | job_limits("JOB_HOURS")
JOB_GB = {name: kind.gigabytes for name, kind in QUEUES.items()} | job_limits("JOB_GB")
globals().update(celery_queues(CELERY_BROKER_URL, JOB_HOURS))
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_IGNORE_RESULT = True  # the job's database row is the truth about it
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# KiB: a process that a job left larger makes room for a fresh one.
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 4_000_000
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULE = beat_schedule()
CELERY_BEAT_SCHEDULE_FILENAME = str(TONALIST_DATA / "beat-schedule")
WORKER_ALIVE_FILE = env.str("WORKER_ALIVE_FILE", default="")  # a probe looks at its age

WEBHOOK_ALLOW = webhook_allow()

# How workers run models that edit photos and generate scenes.
DIFFUSION = diffusion_settings()
DIFFUSION_EDITOR = env.str("DIFFUSION_EDITOR", default=EDITOR)
DIFFUSION_WRITER = env.str("DIFFUSION_WRITER", default=WRITER)
DIFFUSION_GENERATOR = env.str("DIFFUSION_GENERATOR", default=GENERATOR)

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.bool("SECURE_COOKIES", default=not DEBUG)
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
CSRF_FAILURE_VIEW = "collection.participant.views.form_refused"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = env.bool("SSL_REDIRECT", default=False)
SECURE_REDIRECT_EXEMPT = ["^health/", "^metrics$"]  # asked inside the network, without TLS
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("HSTS_SUBDOMAINS", default=False)
# Browsers' lists take whole domains, for good: whoever owns the domain decides that, not a site on it.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
X_FRAME_OPTIONS = "DENY"

METRICS_TOKEN = metrics_token()

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"refusals": {"()": "config.logs.RefusalsInOneLine"}},
    "formatters": {"text": {"()": "config.logs.TextFormatter"}, "json": {"()": "config.logs.JsonFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": log_format()}},
    # Django's own handler would say everything a second time.
    "loggers": {
        "django": {"level": "INFO", "handlers": []},
        "django.request": {"filters": ["refusals"]},
        "axes": {"level": "ERROR"},  # it tells of browsers
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="WARNING")},
}

if SENTRY_DSN := env.str("SENTRY_DSN", default=""):
    from config.operations.errors import sentry_start

    sentry_start(
        SENTRY_DSN,
        environment=env.str("SENTRY_ENVIRONMENT", default="production"),
        release=f"tonalist@{version('tonalist')}",
    )
