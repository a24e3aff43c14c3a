"""A source-filter synthesiser: phones, glottis, vocal tract, room.

A clip comes about as Klatt (1980) had it. The phones of a sentence get a timing and a pitch
contour; pulses and noise excite formants that glide from phone to phone; a room and a microphone
colour the result. What this has to do with emotions stands in `_synthetic.py`, sources in the
docstring of `make_emotional_speech`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

Array = npt.NDArray[Any]


class Cues(NamedTuple):
    """What sets a voice apart from the average neutral one; per cents compound: exp(x / 100)."""

    pitch: float  # mean f0, semitones
    span: float  # excursions of f0, per cent
    final: float  # f0 movement on the last syllables, semitones
    tremor: float  # wavering of f0 at 5 to 7 Hz, semitones
    rate: float  # speech rate, per cent
    pause: float  # length of pauses, per cent
    level: float  # intensity, dB
    tilt: float  # damping of the source at 3 kHz, dB: less makes a pressed, bright voice
    breath: float  # aspiration noise, dB
    jitter: float  # irregularity of periods and amplitudes, per cent
    attack: float  # time in which a sound sets in, per cent
    clarity: float  # distance of vowels from the central one, per cent
    jaw: float  # first formant, per cent: an open mouth raises it
    smile: float  # all formants, per cent: spread lips raise them, protruded ones lower them


class _Segment(NamedTuple):
    """A stretch of sound with one articulation; plosives have several."""

    length: float  # seconds, at a neutral rate
    formants: tuple[int, int, int]  # Hz, in a vocal tract of 17.5 cm
    voice: float = 0.0  # amplitude of voicing
    breath: float = 0.0  # amplitude of noise made at the glottis, heard through the formants
    hiss: float = 0.0  # amplitude of noise made at a constriction further forward
    band: tuple[int, int] = (4000, 2000)  # centre and width of that noise, Hz
    damping: float = 1.0  # factor on the bandwidths of the formants


def _plosive(formants: tuple[int, int, int], hiss: float, band: tuple[int, int]) -> Any:
    return (
        _Segment(0.055, formants),  # closure
        _Segment(0.012, formants, hiss=hiss, band=band),  # burst
        _Segment(0.030, formants, breath=0.20, damping=1.5),  # aspiration
    )


_REST = (500, 1500, 2500)  # a uniform tube: the central vowel
_LIPS, _TEETH, _PALATE = (350, 1100, 2150), (350, 1700, 2600), (320, 2000, 2800)
_VOWELS = tuple(
    (_Segment(0.105, formants, voice=1.0),)
    for formants in (
        # The men of Peterson and Barney (1952): heed, hid, head, had; hod, hawed, who'd, hud.
        *((270, 2290, 3010), (390, 1990, 2550), (530, 1840, 2480), (660, 1720, 2410)),
        *((730, 1090, 2440), (570, 840, 2410), (300, 870, 2240), (640, 1190, 2390)),
    )
)
_SONORANTS = (
    (_Segment(0.060, (320, 1050, 2800), voice=0.6),),  # l
    (_Segment(0.060, (320, 1060, 1500), voice=0.6),),  # r
    (_Segment(0.060, (290, 620, 2150), voice=0.6),),  # w
    (_Segment(0.060, (270, 2070, 3000), voice=0.6),),  # y
    # In nasals the mouth is closed: a low murmur, its upper formants broad and weak.
    (_Segment(0.065, (270, 1100, 2200), voice=0.4, damping=2.5),),  # m
    (_Segment(0.065, (270, 1600, 2600), voice=0.4, damping=2.5),),  # n
)
_OBSTRUENTS = (
    (_Segment(0.095, _TEETH, hiss=0.55, band=(6000, 2200)),),  # s
    (_Segment(0.095, _PALATE, hiss=0.60, band=(3300, 1500)),),  # sh
    (_Segment(0.085, _LIPS, hiss=0.12, band=(5000, 6000)),),  # f
    (_Segment(0.075, _TEETH, voice=0.3, hiss=0.30, band=(6000, 2200)),),  # z
    (_Segment(0.060, _REST, breath=0.25, damping=1.5),),  # h
    _plosive(_LIPS, 0.35, (1000, 1500)),  # p
    _plosive(_TEETH, 0.70, (4500, 2500)),  # t
    _plosive(_PALATE, 0.60, (2000, 900)),  # k
    # Voiced plosives: the voice goes on, muffled, and no aspiration follows.
    (
        _Segment(0.055, (200, 1000, 2100), voice=0.12, damping=2.0),
        _Segment(0.008, _LIPS, voice=0.3, hiss=0.25, band=(1000, 1500)),
    ),  # b
    (
        _Segment(0.050, (200, 1700, 2600), voice=0.12, damping=2.0),
        _Segment(0.008, _TEETH, voice=0.3, hiss=0.45, band=(4000, 2500)),
    ),  # d
)
_PAUSE = _Segment(0.160, _REST)

_SENTENCE_SEED = 1879  # the sentences are the same in every corpus, whatever its random_state
_HOP = 0.012  # seconds between two states of the vocal tract
_FRAME = 4  # hops a filtered frame lasts: two of sound, two for the response to die away


class Sentence(NamedTuple):
    """What is said: arrays with one entry a segment, silence before and after included."""

    pliant: Array  # how far the speech rate changes the length: vowels and pauses most
    accent: Array  # weight of the pitch accent, 0 if there is none
    pause: Array  # bool
    length: Array  # this and the rest as in _Segment
    formants: Array  # (n_segments, 3)
    voice: Array
    breath: Array
    hiss: Array
    band: Array  # (n_segments, 2)
    damping: Array


class Speaker(NamedTuple):
    """A voice, and the room and microphone it is recorded with."""

    f0: float  # mean, Hz
    formant_scale: Array  # (4,) for F1, F2, F3 and those above; 1 for a tract of 17.5 cm
    habits: Array  # (n_cues,) offsets in everything this speaker says
    expressiveness: float  # factor on the cues of every emotion
    colour: Array  # (4,) response of the microphone: cosine series over the mel axis, dB
    gain: float  # of the microphone, dB
    noise_floor: float  # dB full scale
    noise_corner: float  # Hz, above which the noise of the room falls by 6 dB an octave


def seeded_generator(seed: int, *key: int) -> np.random.Generator:
    """Return the generator of one thing, which no other thing's draws can shift."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _compound(percent: float) -> float:
    return float(np.exp(percent / 100.0))


def _amplitude(decibels: Any) -> Any:
    return 10.0 ** (decibels / 20.0)


def generate_sentence(index: int) -> Sentence:
    """Make up a sentence of 7 to 9 syllables in two phrases."""
    rng = seeded_generator(_SENTENCE_SEED, index)

    def draw(phones: tuple[tuple[_Segment, ...], ...]) -> tuple[_Segment, ...]:
        return phones[rng.integers(len(phones))]

    n_syllables = int(rng.integers(7, 10))
    second_phrase = int(rng.integers(3, n_syllables - 2))
    accented = np.cumsum(rng.integers(2, 4, size=4)) - 1  # every second or third syllable
    rows: list[tuple[float, float, _Segment]] = [(1.0, 0.0, _PAUSE)]
    for syllable in range(n_syllables):
        if syllable == second_phrase:
            rows.append((1.0, 0.0, _PAUSE))
        onset = draw(_OBSTRUENTS if rng.random() < 0.6 else _SONORANTS)
        rows += [(0.4, 0.0, segment) for segment in onset]
        # Accents lengthen the vowel, and so does the end of a phrase.
        accent = float(rng.uniform(0.7, 1.0)) if syllable in accented else 0.0
        last = syllable in (second_phrase - 1, n_syllables - 1)
        (vowel,) = draw(_VOWELS)
        length = vowel.length * (1 + 0.25 * accent) * (1.3 if last else 1.0)
        rows.append((1.0, accent, vowel._replace(length=length)))
        if rng.random() < 0.3:
            rows += [(0.4, 0.0, segment) for segment in draw(_SONORANTS)]
    rows.append((1.0, 0.0, _PAUSE))
    pliant, accents, segments = zip(*rows, strict=True)
    pause = [segment is _PAUSE for segment in segments]
    return Sentence(*map(np.array, (pliant, accents, pause, *zip(*segments, strict=True))))


def _generate_timing(sentence: Sentence, cues: Cues, rng: np.random.Generator) -> Array:
    """Return where each segment starts and ends, (n_segments, 2), in seconds."""
    length = sentence.length * np.exp(0.08 * rng.standard_normal(len(sentence.length)))
    length *= np.exp(-sentence.pliant * cues.rate / 100.0)
    length[sentence.pause] *= _compound(cues.pause)
    length[[0, -1]] = rng.uniform(0.08, 0.22, size=2)  # the outer silence must tell nothing
    ends = np.cumsum(length)
    return np.stack([ends - length, ends], axis=1)


def _track(times: Array, spans: Array, targets: Array, glide: Any) -> Array:
    """Hold each segment's target, and move to the next within `glide` seconds of the border."""
    glide = np.minimum(glide, 0.49 * (spans[:, 1] - spans[:, 0]))
    knots = spans + glide[:, None] * [1, -1]
    return np.asarray(np.interp(times, knots.ravel(), np.repeat(targets, 2)))


def _generate_f0_contour(
    times: Array,
    spans: Array,
    sentence: Sentence,
    cues: Cues,
    f0: float,
    rng: np.random.Generator,
) -> Array:
    """Return f0 in Hz: declination, accents and a final movement around the mean asked for."""
    # Each phrase falls by 3 semitones and starts one lower than the one before.
    pauses = spans[sentence.pause]
    phrases = np.stack([pauses[:-1, 1], pauses[1:, 0]], axis=1)
    lines = np.array([0.0, -3.0]) - np.arange(len(phrases))[:, None]
    contour = np.interp(times, phrases.ravel(), lines.ravel())

    accented = sentence.accent > 0
    peaks = sentence.accent[accented] * np.exp(0.25 * rng.standard_normal(accented.sum()))
    distance = times[:, None] - spans[accented].mean(axis=1)
    contour += 3.5 * np.exp(-0.5 * (distance / 0.075) ** 2) @ peaks
    contour *= _compound(cues.span)

    start, end = phrases[0, 0], phrases[-1, 1]
    late = np.clip((times - end + 0.3) / 0.25, 0.0, 1.0)
    contour += cues.final * late**2 * (3 - 2 * late)
    wavering = np.sin(2 * np.pi * (rng.uniform(5, 7) * times + rng.random()))
    contour += max(cues.tremor, 0.0) * wavering
    # Centred, so that `pitch` is the mean whatever the excursions.
    contour -= contour[(times > start) & (times < end)].mean()
    return np.clip(f0 * 2 ** ((cues.pitch + contour) / 12), 55.0, 650.0)


def _generate_pulses(
    times: Array, f0: Array, irregularity: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return instants (seconds) and amplitudes of the glottal closures, with jitter and shimmer."""
    phase = np.concatenate([[0.0], np.cumsum((f0[1:] + f0[:-1]) / 2 * np.diff(times))])
    instants = np.interp(np.arange(1, int(phase[-1])), phase, times)
    jitter, shimmer = irregularity * rng.standard_normal((len(instants), 2)).T
    instants = instants + 0.006 * jitter * np.gradient(instants)
    return instants, _amplitude(0.4 * shimmer)


def _glottal_source(
    instants: Array, amplitudes: Array, f0: float, tilt: float, n_samples: int, sample_rate: int
) -> Array:
    """Return the derivative of the glottal flow, (n_samples,).

    Its spectrum is that of the usual flow models as Doval et al. (2006) describe it: a broad peak
    near f0, the glottal formant, then -6 dB an octave, and another -6 from a corner which is placed
    so that 3 kHz is damped by `tilt` dB, the parameter TL of Klatt and Klatt (1990).
    """
    # A pulse between two samples is written as a windowed sinc, or it would jitter and alias.
    taps = np.arange(-7, 9)
    whole = np.floor(instants * sample_rate)[:, None]
    offset = taps - (instants * sample_rate)[:, None] + whole
    kernels = np.sinc(offset) * np.cos(np.pi * offset / 17) ** 2 * amplitudes[:, None]
    index = np.clip(whole.astype(np.intp) + taps, 0, n_samples - 1)
    pulses = np.bincount(index.ravel(), weights=kernels.ravel(), minlength=n_samples)

    pole = np.exp(-np.pi * f0 / sample_rate)  # as wide as it is high: hardly a peak at all
    glottal_formant = [1.0, -2 * pole * np.cos(2 * np.pi * f0 / sample_rate), pole**2]
    corner = 3000.0 / np.sqrt(10 ** (max(tilt, 0.5) / 10) - 1)
    slope = [1.0, -np.exp(-2 * np.pi * corner / sample_rate)]
    return np.asarray(lfilter([1.0, -1.0], np.convolve(glottal_formant, slope), pulses))


def _vocal_tract_response(
    formants: Array, bandwidths: Array, n_fft: int, sample_rate: int
) -> Array:
    """Return the response of formants in cascade, (n_frames, n_fft // 2 + 1), complex.

    One pair of poles a formant, the gain at 0 Hz being 1 (Klatt 1980). A formant that is above, or
    all but at, half the sample rate is dropped; but rates below 16 kHz are taken from a response at
    a multiple of theirs, because the formants they cannot carry still lift what is below.
    """
    factor = -(-16000 // sample_rate)
    rate = factor * sample_rate
    radius = np.where(formants < 0.47 * rate, np.exp(-np.pi * bandwidths / rate), 0.0)
    first = -2 * radius * np.cos(2 * np.pi * formants / rate)
    second = radius**2
    # Multiplied out, all denominators need one FFT.
    denominator = np.zeros((len(formants), 2 * formants.shape[1] + 1))
    denominator[:, 0] = 1.0
    for k in range(formants.shape[1]):
        shorter = denominator.copy()
        denominator[:, 1:] += first[:, k, None] * shorter[:, :-1]
        denominator[:, 2:] += second[:, k, None] * shorter[:, :-2]
    gain = denominator.sum(axis=1, keepdims=True)
    spectrum = fft.rfft(denominator, factor * n_fft, axis=1)[:, : n_fft // 2 + 1]
    return np.asarray(gain / spectrum)


def _generate_responses(
    times: Array,
    spans: Array,
    sentence: Sentence,
    speaker: Speaker,
    cues: Cues,
    n_fft: int,
    sample_rate: int,
) -> tuple[Array, Array]:
    """Return the filters of the glottal source and of the hiss, (n_frames, n_fft // 2 + 1) each."""
    targets = _REST + _compound(cues.clarity) * (sentence.formants - _REST)
    targets = targets * speaker.formant_scale[:3] * _compound(cues.smile)
    targets[:, 0] *= _compound(cues.jaw)
    glide = 0.3 * (spans[:, 1] - spans[:, 0])
    lower = np.stack([_track(times, spans, target, glide) for target in targets.T], axis=1)
    lower = gaussian_filter1d(lower, 1.0, axis=0)  # tongue and jaw have a mass
    upper = np.arange(3500.0, max(0.5 * sample_rate, 8000.0), 1000.0) * speaker.formant_scale[3]
    formants = np.concatenate([lower, np.tile(upper, (len(times), 1))], axis=1)
    bandwidths = 65.0 + 0.04 * formants
    bandwidths *= _track(times, spans, sentence.damping, glide)[:, None]
    response = _vocal_tract_response(formants, bandwidths, n_fft, sample_rate)

    # Each frame has the band of the nearest hissing segment. (Pauses: so that there is always one.)
    frequencies = fft.rfftfreq(n_fft, 1 / sample_rate)
    hissing = (sentence.hiss > 0) | sentence.pause
    centre, width = sentence.band[hissing].T[:, :, None]
    bands = np.exp(-0.5 * ((frequencies - centre * speaker.formant_scale[3]) / width) ** 2) + 0.02
    middles = spans[hissing].mean(axis=1)
    hiss_response = bands[np.searchsorted((middles[1:] + middles[:-1]) / 2, times)]

    mel = np.log1p(frequencies / 700.0) / np.log1p(8000.0 / 700.0)
    colour = speaker.colour @ np.cos(np.pi * np.arange(1, 5)[:, None] * np.minimum(mel, 1.0))
    microphone = _amplitude(colour).astype(np.float32)
    return response.astype(np.complex64) * microphone, hiss_response.astype(np.float32) * microphone


def _filter_frames(pairs: Sequence[tuple[Array, Array]], hop: int) -> Array:
    """Sum signals, each filtered by its response, which changes every `hop` samples.

    Hann windows, two hops long, sum to one where they overlap: the filters fade into each other.
    """
    window = 0.5 - 0.5 * np.cos(np.pi * np.arange(2 * hop, dtype=np.float32) / hop)
    spectrum: Any = 0.0
    for signal, response in pairs:
        blocks = np.zeros((len(response) + 1, hop), dtype=np.float32)
        blocks.ravel()[hop : hop + len(signal)] = signal
        frames = np.concatenate([blocks[:-1], blocks[1:]], axis=1) * window
        spectrum = spectrum + fft.rfft(frames, _FRAME * hop, axis=1) * response
    parts = fft.irfft(spectrum, _FRAME * hop, axis=1).reshape(len(spectrum), _FRAME, hop)
    output = np.zeros((len(parts) + _FRAME, hop), dtype=np.float32)
    for k in range(_FRAME):
        output[k : k + len(parts)] += parts[:, k]
    return output.ravel()[hop : hop + len(pairs[0][0])]


def synthesise(
    sentence: Sentence, speaker: Speaker, cues: Cues, sample_rate: int, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Return one clip, (n_samples,)."""
    spans = _generate_timing(sentence, cues, rng)
    n_samples = round(spans[-1, 1] * sample_rate)
    hop = 8 * round(_HOP * sample_rate / 8)  # a multiple of 8 keeps the FFT quick
    times = np.arange(n_samples // hop + 2) * hop / sample_rate
    # Accents are louder, and the voice gets softer towards the end.
    loudness = 2.5 * sentence.accent + np.linspace(1.5, -1.5, len(spans))
    loudness = _amplitude(loudness + 0.8 * rng.standard_normal(len(spans)))
    attack = 0.015 * _compound(cues.attack)

    f0 = _generate_f0_contour(times, spans, sentence, cues, speaker.f0, rng)
    instants, amplitudes = _generate_pulses(times, f0, _compound(cues.jitter), rng)
    amplitudes *= _track(instants, spans, loudness * sentence.voice, attack)
    tilt = 9.0 + cues.tilt
    source = _glottal_source(instants, amplitudes, f0.mean(), tilt, n_samples, sample_rate)
    seconds = spans[:, 1] - spans[:, 0]
    voiced = seconds[sentence.voice > 0.5].sum() * sample_rate
    source /= np.sqrt(np.sum(source**2) / voiced)

    # Uniform noise is as white as normal noise and several times quicker to draw.
    noise = (rng.random((3, n_samples), dtype=np.float32) - np.float32(0.5)) * np.float32(12**0.5)
    noise[:2] *= np.float32((sample_rate / 16000) ** 0.5)  # the same power per hertz at all rates
    breath = sentence.breath + _amplitude(cues.breath - 32.0) * sentence.voice
    samples = np.arange(n_samples) / sample_rate
    source += noise[0] * _track(samples, spans, loudness * breath, attack)
    hiss = noise[1] * _track(samples, spans, loudness * sentence.hiss, attack / 2)
    response, hiss_response = _generate_responses(
        times, spans, sentence, speaker, cues, _FRAME * hop, sample_rate
    )
    speech = _filter_frames([(source, response), (hiss, hiss_response)], hop)

    # The level is that of the speech itself: long pauses must not make it louder.
    spoken = seconds[~sentence.pause].sum() * sample_rate
    speech *= _amplitude(cues.level - 31.0) / np.sqrt(np.sum(speech**2) / spoken)
    pole = np.exp(-2 * np.pi * speaker.noise_corner / sample_rate)
    room = lfilter([np.sqrt(1 - pole**2)], [1.0, -pole], noise[2])  # of power 1
    speech = _amplitude(speaker.gain) * (speech + _amplitude(speaker.noise_floor) * room)
    return np.asarray(speech / max(1.0, np.abs(speech).max() / 0.99), dtype=np.float32)
