"""What is measured: every subject with its groups of contenders, in the order of the report."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from benchmarks.contender import Contender, Role
from benchmarks.workload import BertWorkload, FinetuningWorkload, GenerationWorkload, LstmWorkload

KERAS_HUB, MODEL_GARDEN, HUGGING_FACE = "KerasHub", "Model Garden", "Hugging Face on PyTorch"
_PRECISIONS = ("float32", "bfloat16")
_NEEDS = {KERAS_HUB: ("keras_hub",), MODEL_GARDEN: ("official", "tf_keras"), HUGGING_FACE: ("torch", "transformers")}
_MODULES = {"tfplm": "tfplm", KERAS_HUB: "keras_hub", MODEL_GARDEN: "model_garden", HUGGING_FACE: "transformers_torch"}

Groups = dict[str, list[Contender]]


@dataclass(frozen=True)
class Sizes:
    """How much work everything is."""

    bert: BertWorkload
    lstm: LstmWorkload
    finetuning: tuple[FinetuningWorkload, ...]
    generation: tuple[GenerationWorkload, ...]
    matrix: int  # rows and columns of the ceiling's matrices
    corpus_megabytes: float
    slow_corpus_megabytes: float  # for tokenizers that need seconds a megabyte


FULL = Sizes(
    bert=BertWorkload(),
    lstm=LstmWorkload(),
    finetuning=(FinetuningWorkload(sequence_length=128), FinetuningWorkload(sequence_length=512, num_examples=128)),
    generation=(GenerationWorkload(batch_size=1), GenerationWorkload(batch_size=8)),
    matrix=4096,
    corpus_megabytes=100.0,
    slow_corpus_megabytes=1.0,
)
QUICK = Sizes(
    bert=BertWorkload(batch_size=8),
    lstm=LstmWorkload(batch_size=8),
    finetuning=(FinetuningWorkload(sequence_length=128, batch_size=8, num_examples=32),),
    generation=(GenerationWorkload(batch_size=2, new_tokens=16),),
    matrix=1024,
    corpus_megabytes=1.0,
    slow_corpus_megabytes=0.1,
)


def with_sets(sizes: Sizes, data: str) -> Sizes:
    """The sizes with fine-tuning on the texts and pairs of standard sets as well, which lie in the folder ``data``."""
    like = sizes.finetuning[0]
    workloads = (
        replace(like, texts=name, data=data, num_examples=4 * like.num_examples, num_classes=num_classes)
        for name, num_classes in (("mr", 2), ("trec", 6), ("rte", 2))
    )
    return replace(sizes, finetuning=(*sizes.finetuning, *workloads))


@dataclass(frozen=True)
class Subject:
    """One table of the report.

    Args:
        title: its heading.
        unit: of the amounts; figures are this a second, or seconds each where ``unit`` is "".
        groups: builds, from sizes and a folder for files, the groups of contenders that are measured side by side.
        reference: what the rates of role "reference" are, for the heading of the ratio to them; None without such.
    """

    title: str
    unit: str
    groups: Callable[[Sizes, str], Groups]
    reference: str | None = None


def _ceilings(sizes: Sizes, precision: str, operations_per_unit: float, role: Role) -> Iterator[Contender]:
    options = {"size": sizes.matrix, "precision": precision, "operations_per_unit": operations_per_unit}
    name = f"matrix product {sizes.matrix}²"
    yield Contender(name, role, "benchmarks.ceiling.tensorflow", "TensorFlow", options | {"jit": False})
    yield Contender(name, role, "benchmarks.ceiling.tensorflow", "TensorFlow, jit", options | {"jit": True})
    yield Contender(name, role, "benchmarks.ceiling.pytorch", "PyTorch", options, ("torch",))


def _contender(subject: str, name: str, setting: str, options: dict) -> Contender:
    role = "tfplm" if name == "tfplm" else "peer"
    module = f"benchmarks.{subject}.{_MODULES[name]}"
    return Contender(name, role, module, setting, options, _NEEDS.get(name, ()))


def _ceiling(sizes: Sizes, scratch: str) -> Groups:
    return {precision: list(_ceilings(sizes, precision, 1e9, "peer")) for precision in _PRECISIONS}


def _train_step(sizes: Sizes, scratch: str) -> Groups:
    return {
        precision: [
            *_train_steps(sizes.bert, precision),
            *_ceilings(sizes, precision, sizes.bert.operations_per_token, "reference"),
        ]
        for precision in _PRECISIONS
    }


def _train_steps(workload: BertWorkload, precision: str) -> Iterator[Contender]:
    options = {"workload": asdict(workload), "precision": precision}
    for name in ("tfplm", KERAS_HUB, MODEL_GARDEN):
        for jit in (False, True):
            yield _contender("train_step", name, "jit" if jit else "", options | {"jit": jit})
    for compiled in (False, True):
        setting = "compiled" if compiled else "eager"
        yield _contender("train_step", HUGGING_FACE, setting, options | {"compiled": compiled})


def _lstm(sizes: Sizes, scratch: str) -> Groups:
    return {precision: list(_lstm_steps(sizes.lstm, precision)) for precision in _PRECISIONS}


def _lstm_steps(workload: LstmWorkload, precision: str) -> Iterator[Contender]:
    for name, role, module in (("tfplm", "tfplm", "tfplm"), ("plain Keras", "peer", "keras")):
        for jit in (False, True) if precision == "float32" else (False,):  # in bfloat16 XLA takes half a minute a step
            options = {"workload": asdict(workload), "precision": precision, "jit": jit}
            yield Contender(name, role, f"benchmarks.lstm.{module}", "jit" if jit else "", options)


def _finetuning(sizes: Sizes, scratch: str) -> Groups:
    return {
        f"{workload.texts}, {workload.sequence_length} tokens at most, {precision}": list(
            _finetunings(workload, precision, scratch)
        )
        for workload in sizes.finetuning
        for precision in _PRECISIONS
    }


def _finetunings(workload: FinetuningWorkload, precision: str, scratch: str) -> Iterator[Contender]:
    options = {"workload": asdict(workload), "precision": precision, "scratch": scratch}
    for packed in (False, True):
        setting = "packed" if packed else "padded to the limit"
        yield _contender("finetuning", "tfplm", setting, options | {"packed": packed})
    yield _contender("finetuning", KERAS_HUB, "padded to the limit", options)
    for padding, setting in (("max_length", "padded to the limit"), ("longest", "padded to the longest of the batch")):
        yield _contender("finetuning", HUGGING_FACE, setting, options | {"padding": padding})


def _generation(sizes: Sizes, scratch: str) -> Groups:
    return {f"batch {workload.batch_size}": list(_generations(workload)) for workload in sizes.generation}


def _generations(workload: GenerationWorkload) -> Iterator[Contender]:
    options = {"workload": asdict(workload)}
    for name in ("tfplm", KERAS_HUB):
        for jit in (False, True):
            yield _contender("generation", name, "jit" if jit else "", options | {"jit": jit})
    for compiled in (False, True):
        setting = "compiled, static cache" if compiled else "eager"
        yield _contender("generation", HUGGING_FACE, setting, options | {"compiled": compiled})


def _preparation(sizes: Sizes, scratch: str) -> Groups:
    slow = {"megabytes": sizes.slow_corpus_megabytes, "scratch": scratch}
    tokenizers = Contender(
        "Hugging Face tokenizers", "peer", "benchmarks.preparation.tokenizers", "", slow, ("tokenizers",)
    )
    whole = {"megabytes": sizes.corpus_megabytes, "scratch": scratch}
    return {
        "raw text to token ids": [
            _contender("preparation", "tfplm", "", whole),
            tokenizers,
            _contender("preparation", MODEL_GARDEN, "with pairs and masks", slow),
        ]
    }


def _pipeline(sizes: Sizes, scratch: str) -> Groups:
    tiny = replace(sizes.bert, num_layers=2, num_heads=2, hidden_dim=128, intermediate_dim=512)
    steps = [(sizes.bert, "bfloat16"), (tiny, "float32"), (tiny, "bfloat16")]
    options = {"workload": asdict(sizes.bert), "scratch": scratch}
    return {
        "masked rows": [
            _contender("pipeline", "tfplm", "pipeline", options | {"megabytes": sizes.corpus_megabytes}),
            _contender("pipeline", HUGGING_FACE, "pipeline", options),
            *(
                Contender(
                    f"tfplm's step of BERT {workload.num_layers} × {workload.hidden_dim}",
                    "reference",
                    "benchmarks.train_step.tfplm",
                    precision,
                    {"workload": asdict(workload), "precision": precision, "jit": False},
                )
                for workload, precision in steps
            ),
        ]
    }


def _startup(sizes: Sizes, scratch: str) -> Groups:
    def command(name: str, *words: str) -> Contender:
        setting = " ".join(words).replace("python -m ", "").replace("python -c ", "")
        role = "tfplm" if name == "tfplm" else "peer"
        return Contender(
            name, role, "benchmarks.startup.command", f"`{setting}`", {"command": words}, _NEEDS.get(name, ())
        )

    def importing(name: str, statement: str) -> Contender:
        return command(name, "python", "-c", statement)

    return {
        "help": [
            command("tfplm", "python", "-m", "tfplm", "--help"),
            command(HUGGING_FACE, "transformers", "--help"),
        ],
        "a configuration": [
            importing("tfplm", "from tfplm import BertConfig"),
            importing(MODEL_GARDEN, "from official.nlp.configs.encoders import BertEncoderConfig"),
            importing(HUGGING_FACE, "from transformers import BertConfig"),
        ],
        "a model": [
            importing("tfplm", "from tfplm import MaskedLanguageModel"),
            importing(KERAS_HUB, "from keras_hub.models import BertMaskedLM"),
            importing(MODEL_GARDEN, "from official.nlp.modeling.models import BertPretrainerV2"),
            importing(HUGGING_FACE, "from transformers import BertForMaskedLM"),
            Contender(
                "TensorFlow alone",
                "reference",
                "benchmarks.startup.command",
                "`import tensorflow`",
                {"command": ["python", "-c", "import tensorflow"]},
            ),
        ],
    }


SUBJECTS = {
    "ceiling": Subject("Ceiling of the machine", "GFLOP", _ceiling),
    "train_step": Subject("Train step of BERT", "tokens", _train_step, "× ceiling"),
    "lstm": Subject("Train step of an LSTM classifier", "tokens", _lstm),
    "finetuning": Subject("Fine-tuning from raw strings", "examples", _finetuning),
    "generation": Subject("Writing with a key-value cache", "tokens", _generation),
    "preparation": Subject("Preparation of a corpus", "MB", _preparation),
    "pipeline": Subject("Data pipeline", "tokens", _pipeline, "× fastest step"),
    "startup": Subject("Start-up", "", _startup, "× TensorFlow"),
}


def chosen(groups: Groups, contenders: Sequence[str], names: Sequence[str] = ()) -> Groups:
    """The groups and contenders whose names begin with one of the given, in any case; none given: all."""
    kept = {
        name: [contender for contender in group if _begins(contender.name, contenders)]
        for name, group in groups.items()
        if _begins(name, names)
    }
    return {name: group for name, group in kept.items() if group}


def _begins(name: str, wanted: Sequence[str]) -> bool:
    return not wanted or name.lower().startswith(tuple(start.lower() for start in wanted))
