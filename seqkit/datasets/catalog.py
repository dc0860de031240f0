"""The data sets that seqkit knows.

Checksums are of files that figures of the documentation were measured on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqkit.data.files import EMBEDDED, locate
from seqkit.datasets import readers
from seqkit.datasets.entry import Entry, Source

ARCHIVE = "https://timeseriesclassification.com"
GITHUB = "https://raw.githubusercontent.com"
NAB = f"{GITHUB}/numenta/NAB/450b94906d3ea4cea43bdc6e63a1775a29c45954"
FSDD = "https://github.com/Jakobovski/free-spoken-digit-dataset"
UCR_LICENCE = "free for research; cite the archive and the donors"
UEA = 'Bagnall et al., "The UEA multivariate time series classification archive, 2018", arXiv:1811.00075'
UCR = 'Dau et al., "The UCR time series archive", IEEE/CAA Journal of Automatica Sinica 6, 2019'


def _problem(name: str, title: str, sha256: str, citation: str) -> Entry:
    """A problem of the UCR/UEA archive."""
    files = (f"{name}_TEST.ts", f"{name}_TRAIN.ts")
    return Entry(
        name,
        title,
        "classification",
        folder=name,
        sources=(Source(f"{ARCHIVE}/aeon-toolkit/{name}.zip", sha256, files),),
        home=f"{ARCHIVE}/description.php?Dataset={name}",
        licence=UCR_LICENCE,
        citation=citation,
        read=readers.archive_problem,
        fits=f"{name}_TRAIN.ts",
    )


def _file(reader: Any, file: str, **facts: Any) -> Any:
    """A reader of the folder that passes a file of it on."""
    return lambda folder: reader(folder / file, **facts)


def _monitored_files() -> tuple[Source, ...]:
    sums = {
        "artificialNoAnomaly/art_daily_no_noise": "ccb7743ac2de8ca110db4af796d11ba31a23ad448a28e353a935c15f637756bc",
        "artificialNoAnomaly/art_daily_perfect_square_wave": (
            "662ff0a295b81eb0ff8e81116a54a497cd6f6b07c19c7a5ea72cce494913ce62"
        ),
        "artificialNoAnomaly/art_daily_small_noise": "c4b304229f69f108eaa024fb2406fcd4510c5c5d95cd0053e2da6989682e4e6d",
        "artificialNoAnomaly/art_flatline": "1cc10761ddd6d55fb5f0d9cfc73610416abbb120ee14bb65eff288509a463397",
        "artificialNoAnomaly/art_noisy": "ad455adeaf06852222500955f2aefe6bd389cc762ef68e7102ee543209c8607f",
        "artificialWithAnomaly/art_daily_flatmiddle": (
            "ea5df125947e9ee2b977ac3d341f3c2a029588862af97cae4a654fc56e838702"
        ),
        "artificialWithAnomaly/art_daily_jumpsdown": "4af31802e87dff4b4ba3ceb21714ba9d905f7888e1f53d47cc6dd4f856f9debc",
        "artificialWithAnomaly/art_daily_jumpsup": "f79f92b93ee4f9c10e2dc552505e8880b0c618639ed5e0f9816e044b75c26456",
        "artificialWithAnomaly/art_daily_nojump": "65c85d1834376ed5e622f01721d478609577ea0df0a067c5a5ebe5edea03b077",
        "artificialWithAnomaly/art_increase_spike_density": (
            "0959d8871d5c1a3fc3120fb7421e4ef113fffb434af2889085b52aebdb69360c"
        ),
        "artificialWithAnomaly/art_load_balancer_spikes": (
            "99f7130e54c7c3e818df8e3bdc0974cd241914bb14a10a9c3fa7c1374125d224"
        ),
    }
    return tuple(Source(f"{NAB}/data/{name}.csv", sha256, (f"{name}.csv",)) for name, sha256 in sums.items())


ENTRIES = (
    _problem(
        "JapaneseVowels",
        "640 utterances of two vowels, 12 features, 7 to 29 steps: which of nine men said them",
        "074b982a14983c905fd65212a358e7bc06feeb5ae951291663a5a4512e518914",
        'Kudo, Toyama and Shimbo, "Multidimensional curve classification using passing-through regions", Pattern '
        f"Recognition Letters 20, 1999; {UEA}",
    ),
    _problem(
        "BasicMotions",
        "80 recordings of a smart watch, 6 sensors, 100 steps: standing, walking, running or badminton",
        "9646e6a2657c1d770c20bb48363790a95a7610c94019072edd3299f95ce54b19",
        UEA,
    ),
    _problem(
        "ItalyPowerDemand",
        "1,096 days of Italy's demand for electricity, 24 hours: October to March, or April to September",
        "7c7f5872c578d9eb19e334d19047f7d5e3ea11fa78193b69fbd2cb841300f6ab",
        UCR,
    ),
    _problem(
        "GunPoint",
        "200 movements of a hand, 150 steps: drawing a gun, or pointing",
        "ddea6cf004dfbd54ae416aa67d3ba83bc2b1252a64a9182f488535e0bf5c05db",
        UCR,
    ),
    Entry(
        "airline",
        "passengers of international airlines, 144 months, 1949 to 1960, in thousands",
        "forecasting",
        folder="Airline",
        sources=(
            Source(
                f"{GITHUB}/sktime/sktime/v0.30.0/sktime/datasets/data/Airline/Airline.csv",
                "28af0eb869db6d9fbd31d5af03993a0cbf36c0857c3eb046a068c094b60da851",
                ("Airline.csv",),
            ),
        ),
        home="https://www.sktime.net/en/stable/api_reference/auto_generated/sktime.datasets.load_airline.html",
        licence="public",
        citation="Box and Jenkins, Time Series Analysis: Forecasting and Control, 1976, series G",
        read=_file(readers.series, "Airline.csv", name="airline"),
        fits="Airline.csv",
        season=12,
        holdout=36,
    ),
    Entry(
        "sunspots",
        "yearly mean number of sunspots, 1700 to 2008",
        "forecasting",
        folder="",
        sources=(),
        home="https://www.sidc.be/SILSO/home",
        licence="public domain",
        citation="SIDC, Royal Observatory of Belgium, through NOAA's National Geophysical Data Center",
        read=_file(readers.series, "sunspots.csv", name="sunspots"),
        fits="sunspots.csv",
        season=EMBEDDED["sunspots"].season,
        holdout=EMBEDDED["sunspots"].holdout,
        note="comes with seqkit",
    ),
    Entry(
        "tinyshakespeare",
        "1,115,394 characters of Shakespeare's plays; the last 10 % are for testing",
        "text",
        folder="tinyshakespeare",
        sources=(
            Source(
                f"{GITHUB}/karpathy/char-rnn/d1d7aa34fdb3626174bce1d753e6cc6845ce7087/data/tinyshakespeare/input.txt",
                "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                ("input.txt",),
            ),
        ),
        home="https://github.com/karpathy/char-rnn",
        licence="public domain",
        citation='Karpathy, "The unreasonable effectiveness of recurrent neural networks", 2015',
        read=_file(readers.text, "input.txt"),
    ),
    Entry(
        "jsb",
        "382 chorales of Bach in quarter notes: 229 to train, 76 to validate, 77 to test",
        "music",
        folder="jsb",
        sources=(
            Source(
                f"{GITHUB}/czhuang/JSB-Chorales-dataset/9a7f733ddb4ed91f48da64ac7f0f621c34aadd4d/"
                "jsb-chorales-quarter.json",
                "2db9329f1881a1d3f49703ec556bf1d6f84b4f6c1d702c156536e93cf31e1c91",
                ("jsb-chorales-quarter.json",),
            ),
        ),
        home="https://github.com/czhuang/JSB-Chorales-dataset",
        licence="music in the public domain",
        citation='Boulanger-Lewandowski, Bengio and Vincent, "Modeling temporal dependencies in high-dimensional '
        'sequences", ICML 2012',
        read=_file(readers.chorales, "jsb-chorales-quarter.json"),
    ),
    Entry(
        "nab",
        "11 artificial series of the Numenta Anomaly Benchmark, 6 of them with a labelled anomaly",
        "anomaly detection",
        folder="nab",
        sources=(
            *_monitored_files(),
            Source(
                f"{NAB}/labels/combined_windows.json",
                "1e1fbc4601321aad8d0f8b3784c8134299379f68f6c1f7777565f8ffd57ab6b1",
                ("combined_windows.json",),
            ),
        ),
        home="https://github.com/numenta/NAB",
        licence="MIT",
        citation='Ahmad, Lavin, Purdy and Agha, "Unsupervised real-time anomaly detection for streaming data", '
        "Neurocomputing 262, 2017",
        read=readers.monitored,
    ),
    Entry(
        "fsdd",
        "1,500 recordings of spoken digits by three speakers; 0 to 4 of each are for testing",
        "speech",
        folder="fsdd",
        sources=(
            Source(
                f"{FSDD}/archive/v1.0.9.tar.gz",
                "3974616503c6adffa183aca259e893d3ee7578f4c76dba18faf0f1f95fdbb793",
                readers.recording_names(),
                inside="free-spoken-digit-dataset-1.0.9/recordings",
            ),
        ),
        home=FSDD,
        licence="CC BY-SA 4.0",
        citation="Jackson et al., Free Spoken Digit Dataset, doi:10.5281/zenodo.1342401",
        read=readers.recordings,
        note="the speakers jackson, nicolas and theo of a data set that has grown since",
    ),
)
CATALOG = {entry.name: entry for entry in ENTRIES}


def embedded_folder() -> Path:
    """Where the data sets lie that come with seqkit."""
    return locate("sunspots").parent
