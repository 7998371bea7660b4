"""Puts the parts of a runner together: each gets what it needs here, and nowhere else."""

from qflow_runner.access import Tokens
from qflow_runner.admission import Admission, admission_limits
from qflow_runner.advisories import Advisories
from qflow_runner.analysis import Analyzer
from qflow_runner.api import starting
from qflow_runner.api.authoring import check_text
from qflow_runner.api.draining import Drain
from qflow_runner.api.guard import Guard
from qflow_runner.api.installed import finder
from qflow_runner.api.operations import calls_of
from qflow_runner.api.saving import resolver
from qflow_runner.api.shared import SharedPlace
from qflow_runner.api.state import State
from qflow_runner.audit import Audit
from qflow_runner.blobs import blobs_for
from qflow_runner.cache import Inputs, ResultCache
from qflow_runner.code_policy import CodePolicy, rules_of
from qflow_runner.definitions import Definitions
from qflow_runner.egress import Egress
from qflow_runner.engine import Call, Embedded, Engine
from qflow_runner.files import Files, Keys, Spill
from qflow_runner.layers import Layers
from qflow_runner.observe.events import Events
from qflow_runner.observe.lag import LoopLag
from qflow_runner.observe.tracing import Tracing
from qflow_runner.packages import Packages
from qflow_runner.reporting import Reports
from qflow_runner.run import Flow
from qflow_runner.sandbox.backend import Backend
from qflow_runner.sandbox.keeper import Keeper
from qflow_runner.sandbox.limiter import Limiter
from qflow_runner.sessions import Sessions, Values
from qflow_runner.settings import Settings
from qflow_runner.store import (
    Database,
    Failures,
    History,
    Recorder,
    Rotation,
    SavedDefinitions,
    StoredDefinitions,
    StoredTokens,
    StoredWorkflows,
)
from qflow_runner.upgrades import Replayer, Upgrades
from qflow_runner.vetting import Vetting
from qflow_runner.workflows import Checker
from qflow_runner.workflows.kept import KEPT_WORKFLOWS, KeptWorkflows

PAYLOAD_DAYS = 0.1


def build_state(
    settings: Settings,
    token: str,
    identity: str,
    backend: Backend,
    pythons: tuple[str, ...],
    *,
    worker: bool = False,
) -> State:
    """`worker`: it makes the runs of a cluster, and hands none on."""
    keys = Keys(settings)
    database = Database(settings, keys)
    audit = Audit(settings, database, identity)
    tokens = Tokens(StoredTokens(database), token)
    Rotation(database)
    starting.know_secrets(settings, token)
    saved = SavedDefinitions(database)
    definitions = Definitions(settings, pythons, StoredDefinitions(settings, database))
    admission = Admission(admission_limits(settings))
    recorder = Recorder(database, lambda: admission.runs)
    events = Events()
    tracing = Tracing(settings, identity)
    files = Files(settings)
    values = Values(Spill(settings, keys))
    cache = ResultCache(settings, keys)
    inputs = Inputs(settings, keys)
    layers = Layers(settings, backend.compile, backend.confine)
    vetting = Vetting(settings, Advisories(settings))
    egress = Egress(settings)
    keeper = Keeper(
        settings,
        backend,
        identity,
        layers=settings.layers_dir,
        files=settings.sandbox_files_path,
        egress=egress,
    )
    sessions = Sessions(settings.session_idle_s, settings.sessions_per_sandbox, values)
    keeper.before_removal = sessions.farewell
    keeper.after_return = sessions.returned
    limiter = Limiter(settings, backend)
    analyzer = Analyzer()
    checker = Checker(analyzer, settings.python, resolver(saved), finder(layers))
    code_policy = CodePolicy(rules_of(settings), analyzer)
    flow = Flow(
        definitions,
        packages=Packages(layers, vetting, events, sessions.lives),
        keeper=keeper,
        sessions=sessions,
        values=values,
        files=files,
        events=events,
        cache=cache,
        reports=Reports(events, recorder, inputs, settings.public_url),
        code_policy=code_policy,
        limiter=limiter,
        tracing=tracing,
    )
    calls: dict[str, Call] = {}
    engine: Engine = Embedded(flow, keeper, calls)
    if settings.engine == "celery" and not worker:
        from qflow_runner.engine.cluster.engine import ClusterEngine  # noqa: PLC0415 - Celery is optional

        engine = ClusterEngine(settings, keys, events, large_items(settings, keys), admission)
    state = State(
        settings=settings,
        token=token,
        tokens=tokens,
        audit=audit,
        guard=Guard(settings, tokens, audit),
        definitions=definitions,
        keeper=keeper,
        sessions=sessions,
        flow=flow,
        engine=engine,
        limiter=limiter,
        analyzer=analyzer,
        code_policy=code_policy,
        checker=checker,
        workflows=KeptWorkflows(
            StoredWorkflows(database, KEPT_WORKFLOWS), lambda text: check_text(checker, text)
        ),
        database=database,
        recorder=recorder,
        inputs=inputs,
        history=History(settings, database),
        failures=Failures(database),
        saved=saved,
        cache=cache,
        events=events,
        egress=egress,
        files=files,
        layers=layers,
        vetting=vetting,
        upgrades=Upgrades(layers, vetting, Replayer(flow, keeper, sessions, files)),
        spill=values.store,
        shared=SharedPlace(settings),
        admission=admission,
        drain=Drain(),
        lag=LoopLag(),
        tracing=tracing,
    )
    calls.update(calls_of(state))
    return state


def large_items(settings: Settings, keys: Keys) -> Spill:
    """Where items lie that are too large for a cluster's queue; what nobody fetched is removed within hours."""
    return Spill(settings, keys, blobs=blobs_for(settings, "payloads"), days=PAYLOAD_DAYS, once=True)
