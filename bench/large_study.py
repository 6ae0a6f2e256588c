"""A study of published size with its earlier sessions, made by SQL, and two ways to start one more in it."""

import contextlib
import itertools
import secrets

from django.db import connection, transaction
from django.utils import timezone

from collection.design.protocol import Protocol
from collection.models import Device, Person, Question, Rater, Session, Study, StudyPair, StudyScene
from collection.services.people import device_for, person_for, rater_for
from collection.services.sessions import session_start
from collection.services.texts import consent_version_in
from variants.jobs import new_public_id
from variants.models import Pair, Rendition, Scene

N_SCENES, RENDITIONS = 1192, 5
"""Scenes, and renditions of each."""
ABANDONED = 100
"""The last sessions have half their answers and hold the places of the other half."""
AT_A_TIME = 10_000
RANDOM_HEX = "replace(gen_random_uuid()::text, '-', '')"
LONG_AGO = "now() - interval '9 days'"
N_MAIN, N_CHECKS = 80, 10
N_QUESTIONS = N_MAIN + N_CHECKS


def study_make(n_pairs):
    study = Study.objects.create(slug="large", name="Large", status="open", protocol=Protocol().to_json())
    scenes = Scene.objects.bulk_create(
        Scene(name=f"scene {n}", width=1080, height=720) for n in range(N_SCENES)
    )
    StudyScene.objects.bulk_create(StudyScene(study=study, scene=scene) for scene in scenes)
    renditions = Rendition.objects.bulk_create(
        Rendition(scene=scene, recipe={}, recipe_key=str(k), long_side=1080, state=Rendition.State.RENDERED)
        for k in range(RENDITIONS)
        for scene in scenes
    )
    of_scene = [renditions[s::N_SCENES] for s in range(N_SCENES)]
    couples = itertools.product(itertools.combinations(range(RENDITIONS), 2), range(N_SCENES))
    pairs = Pair.objects.bulk_create(
        Pair(scene=scenes[s], image_a=of_scene[s][a], image_b=of_scene[s][b], delta_e=5)
        for (a, b), s in itertools.islice(couples, n_pairs)
    )
    StudyPair.objects.bulk_create(StudyPair(study=study, pair=pair) for pair in pairs)
    return study


def study_copy(study):
    """Another study of the same pairs, with the same exposures."""
    pairs = StudyPair.objects.filter(study=study)
    copy = Study.objects.create(slug="copy", name="Copy", status="open", protocol=study.protocol)
    StudyPair.objects.bulk_create(
        StudyPair(study=copy, pair_id=pair.pair_id, exposures=pair.exposures) for pair in pairs
    )
    return copy


def rater_make(study):
    return rater_for(study, person_for(token=secrets.token_hex()), device_for(secrets.token_hex()))


def start(study, rater):
    protocol = Protocol.from_json(study.protocol)
    session_start(study, rater, consent_version=consent_version_in(protocol, "en"), now=timezone.now())


@transaction.atomic
def start_naively(study, rater):
    """As many rows in as few statements as there can be: no order, no balance, no checks, nothing given back."""
    protocol = Protocol.from_json(study.protocol)
    session = Session.objects.create(study=study, rater=rater, seed=0)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pair_id, image_a_id, image_b_id FROM collection_studypair sp "
            "JOIN variants_pair p ON p.id = pair_id JOIN variants_rendition a ON a.id = image_a_id "
            "JOIN variants_rendition b ON b.id = image_b_id WHERE study_id = %s AND a.state = 'rendered' "
            "AND b.state = 'rendered' ORDER BY exposures, random() LIMIT %s FOR UPDATE OF sp",
            [study.pk, protocol.n_main],
        )
        asked = cursor.fetchall()
        n_others = protocol.n_practice_planned + protocol.n_checks
        rows = [("main", *pair) for pair in asked] + [("practice", *pair) for pair in asked[:n_others]]
        columns = (
            "session_id, index, kind, pair_id, left_id, right_id, public_id, token, policy, chosen_side, "
            "instructed_side, client"
        )
        with cursor.copy(f"COPY collection_question ({columns}) FROM STDIN") as copy:
            for index, row in enumerate(rows):
                ids = new_public_id(), new_public_id()
                copy.write_row((session.pk, index, *row, *ids, "naive", "", "", "{}"))
        cursor.execute(
            "UPDATE collection_studypair SET exposures = exposures + 1 WHERE study_id = %s AND pair_id = ANY(%s)",
            [study.pk, [pair for pair, _, _ in asked]],
        )


def sessions_make(study, n_sessions):
    """So many sessions of N_QUESTIONS each, and the exposures that they make. The database has no others."""
    with connection.cursor() as cursor:
        people = f"generate_series(1, {n_sessions}) n"
        cookie = "md5(n::text)"
        rows_make(
            cursor, Person, people, id="n", public_id=RANDOM_HEX, cookie_sha256=cookie, created_at="now()"
        )
        rows_make(
            cursor, Device, people, id="n", public_id=RANDOM_HEX, cookie_sha256=cookie, created_at="now()"
        )
        rows_make(
            cursor, Rater, people, id="n", public_id=RANDOM_HEX, study_id=study.pk, person_id="n", device_id="n",
            created_at="now()",
        )  # fmt: skip
        rows_make(
            cursor, Session, people, id="n", public_id=RANDOM_HEX, token=RANDOM_HEX, study_id=study.pk,
            rater_id="n", seed="n", protocol_hash="''", started_at=LONG_AGO,
            finished_at=f"CASE WHEN n <= {n_sessions - ABANDONED} THEN {LONG_AGO} END",
        )  # fmt: skip
        cursor.execute(
            "CREATE TEMPORARY TABLE asked AS SELECT row_number() OVER (ORDER BY pair_id) - 1 AS place, "
            "pair_id, image_a_id, image_b_id FROM collection_studypair JOIN variants_pair p ON p.id = pair_id"
        )
        cursor.execute("ANALYZE asked")
        with without_indexes(cursor, Question):
            for low in range(0, n_sessions, AT_A_TIME):
                high = min(low + AT_A_TIME, n_sessions)
                questions_make(cursor, low, high, n_sessions, study.pairs.count())
                print(f"{high:,} of {n_sessions:,} earlier sessions", flush=True)
        cursor.execute(
            "UPDATE collection_studypair sp SET exposures = n FROM (SELECT pair_id, count(*) n "
            "FROM collection_question WHERE kind = 'main' GROUP BY pair_id) q WHERE q.pair_id = sp.pair_id"
        )
        for model in (Person, Device, Rater, Session, Question):
            table = model._meta.db_table
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
            )
        cursor.execute("VACUUM ANALYZE")


def questions_make(cursor, low, high, n_sessions, n_pairs):
    """Those of the sessions above `low` up to `high`: main pairs in turn, then checks of the first of them."""
    is_main, answered = f"i < {N_MAIN}", f"n <= {n_sessions - ABANDONED} OR i < {N_MAIN // 2}"
    rows_make(
        cursor,
        Question,
        f"generate_series({low + 1}, {high}) n CROSS JOIN generate_series(0, {N_QUESTIONS - 1}) i "
        f"JOIN asked ON place = (n * {N_MAIN} + i % {N_MAIN}) % {n_pairs}",
        id=f"n * {N_QUESTIONS} + i",
        public_id=RANDOM_HEX,
        token=RANDOM_HEX,
        session_id="n",
        index="i",
        kind=f"CASE WHEN {is_main} THEN 'main' ELSE 'check' END",
        pair_id="pair_id",
        left_id=f"CASE WHEN {is_main} THEN image_a_id ELSE image_b_id END",
        right_id=f"CASE WHEN {is_main} THEN image_b_id ELSE image_a_id END",
        repeats_id=f"CASE WHEN NOT {is_main} THEN n * {N_QUESTIONS} + i - {N_MAIN} END",
        policy=f"CASE WHEN {is_main} THEN 'fewest_exposures' ELSE 'mirrored_repeat' END",
        propensity=f"CASE WHEN {is_main} THEN 1.0 END",
        chosen_side=f"CASE WHEN {answered} THEN 'left' ELSE '' END",
        response_ms=f"CASE WHEN {answered} THEN 900 END",
        answered_at=f"CASE WHEN {answered} THEN {LONG_AGO} END",
    )


def rows_make(cursor, model, source, **expressions):
    """One row for each of `source`: SQL for a column, or the field's default."""
    fields = model._meta.concrete_fields
    values = [str(expressions.get(field.column, "%s")) for field in fields]
    defaults = [
        field.get_db_prep_save(field.get_default(), connection)
        for field in fields
        if field.column not in expressions
    ]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    sql = ", ".join(value if value == "%s" else value.replace("%", "%%") for value in values)
    cursor.execute(
        f"INSERT INTO {model._meta.db_table} ({columns}) SELECT {sql} FROM {source.replace('%', '%%')}",
        defaults,
    )


@contextlib.contextmanager
def without_indexes(cursor, model):
    """Rows come in ten times as fast without them, and they are made at one go afterwards."""
    table = model._meta.db_table
    cursor.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = %s::regclass AND contype IN ('f', 'u')",
        [table],
    )
    constraints = cursor.fetchall()
    for name, _ in constraints:
        cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s", [table])
    indexes = [(name, definition) for name, definition in cursor.fetchall() if not name.endswith("_pkey")]
    for name, _ in indexes:
        cursor.execute(f'DROP INDEX "{name}"')
    yield
    cursor.execute("SET maintenance_work_mem = '512MB'")
    for _, definition in indexes:
        cursor.execute(definition)
    for name, definition in constraints:
        cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
