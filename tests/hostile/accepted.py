"""Why nonsense is accepted: a sentence for each sort of it. What has none here must not be accepted."""

from __future__ import annotations

import re
from typing import Final

from tests.hostile.case import AND

_REASONS: Final = tuple(
    (re.compile(pattern, re.ASCII | re.DOTALL), reason)
    for pattern, reason in (
        # kind | call | what is wrong
        (r"data\|.*\|scenes_", "what scenes show is read by examples/judge_scenes.py alone; data info finds it by its digest"),
        (r"data\|(?!data info).*\|SHA256SUMS", "digests are compared by data info alone, as that reads all there is"),
        (r"data\|data info.*\|SHA256SUMS (nothing|text|bytes)", "what has no line among the digests is not compared, as folders of others have none"),
        (r"data\|(?!data info|eval).*\|captions_", "people's words, word for word, are read by eval and data info"),
        (r"data\|eval.*\|captions_val\.json (nothing|nowhere|loop)", "a folder may be without people's words, and has them as tokens"),
        (r"data\|eval.*\|(captions|features)_train", "captions of val are judged; data info reads all"),
        (r"data\|(?!data info).*\|(encoder\.json|pca\.h5)", "what photos were encoded with is read when photos are, and a folder may be without"),
        (r"data\|((?!data info)|.*\(without digests\)).*\|\w+_images\.txt (text|bytes)", "names of pictures are any text, and what is not there is not shown"),
        (r"data\|(?!data info).*\|(captions|features_\w+)\.h5", "it is of a split or rows that this call does not read, or bytes that HDF5 keeps nothing in; data info finds it"),
        (r"model\|runs ", "a list of runs: what is damaged is told in its row, and models are not opened for it"),
        (r"model\|(caption|eval|report) \S+run\b(?!/).*\|(last\.h5|spec\.toml|history\.csv)", "best.h5 alone is asked, which has its own spec"),
        (r"model\|(caption|eval|report) \S+run\b(?!/).*\|best\.h5 (nothing|nowhere|loop)", "a run without a best.h5 is asked by its last.h5"),
        (r"model\|report .*\|history\.csv (text|bytes|nothing|nowhere|loop)", "curves of what can be read"),
        (r"model\|train .*\|last\.h5", "it goes on from previous.h5, and says so"),
        (r"model\|train .*\|best\.h5", "training goes on from last.h5; who uses best.h5 is told"),
        (r"model\|train .*\|(history\.csv|spec\.toml)", "the checkpoint has the spec and the history, which are written anew"),
        (r"(model|weights)\|.*\.h5 (extra|version|note|seen|cut|rnnkit|provenance)", "captions do not depend on it"),
        (r"(model|weights)\|.*\.h5 pca gone", "a model may be without a PCA, if its encoder makes as many features; and features need none"),
        (r"(model|weights)\|.*\.h5 encoder gone", "features need no encoder; who captions photos with the model, or trains on from it, is told"),
        (r"(model|weights)\|.*\.h5 spec spoiled text", "still a spec: what has changed is a comment, a blank, or a value within its bounds"),
        (r"(model|weights)\|.*\.h5 bytes", "under a digest made right again, weights may be any finite numbers"),
        (r"(model|weights)\|.*\.h5 (parameters\S*|pca\S*) (type|number|large numbers|1e38|spoiled text)", "under a digest made right again, weights may be any finite numbers"),
        (r"plugins\|(plugins list|schema)", "all others are there, and the one that is wrong is named with its package"),
        (r"plugins\|plugins show", "the card is what it says of itself, with what its checks find"),
        (r"plugins\|build .*base/spec\.toml", "the network has nothing of the plugin"),
        (r"plugins\|(gradcheck|build|train).*\|(options|class|import): ", "what is odd about it is no part of what it computes, which is right"),
        (r"plugins\|(gradcheck|build|train).*\|(forward|backward): (print|import sys; sys\.stdout)", "what it prints is no result, and what it computes is right"),
        (r"plugins\|(gradcheck|build|train).*\|forward: return x", "it returns what is asked for"),
        (r"data\|(?!data info).*\|\w+_images\.txt nothing", "a folder may be without the names of its pictures"),
        (r"data\|.*\|vocab\.json \.(word_to_idx|idx_to_word) = \"gone", "the other half of the vocabulary has all of it"),
        (r"data\|(?!data info).*\|vocab\.json bytes", "the name of a half of the vocabulary, and the other half has all of it; or a blank"),
        (r"data\|eval.*\|captions_val\.json \S*annotations\[\](\.id)? = ", "there is one caption less, or its own number is another, which nothing reads; data info finds it by its digest"),
        (r"data\|data info.*\(without digests\)\|captions_\w+\.json bytes", "a letter of what people wrote, which may be any"),
        (r"data\|eval.*\|captions_val\.json bytes", "a letter of what people wrote, which may be any; data info finds it by its digest"),
        (r"(spec|weights)\|.*\|(\S*\.)?(decoder|optimizer|schedule|cell|loss|reward|image|words|head) ?= ?\[?\{\}\]?$", "a table with nothing in it is the default"),
        (r"plugins\|(build|train) .*\|forward: x \+= 1", "what is built or trained is not checked; gradcheck finds it"),
        (r"arguments\|(plugins show|gradcheck) .*\|(beam|lstm|adam|tanh|affine|rnnkit:lstm)$", "there is such a plugin"),
        (r"arguments\|gradcheck .*\|--(json|csv) (rnnkit:)?(beam|lstm|adam|tanh|affine)$", "a flag, and a plugin that there is"),
        (r"arguments\|gradcheck .*\|--case\s*$", "no text is in every name"),
        (r"arguments\|.*\|--(json|csv|raw|anyway) --$", "a flag, and two dashes that end the options"),
        (r"arguments\|compare .*\|--until-loss \d", "a target that is reached at once"),
        (r"arguments\|report .*(\|--data|--data \s+( --)?\|\s+$)", "a page without captions, which says why it has none"),
        (r"arguments\|.*\|--seed \d+$", "a seed may be any whole number"),
        (r"weights\|.*\|samples ?= ?\"no\"$", "a later --set replaces it"),
        (r"arguments\|.*\|--metrics \s*$", "a list of no metrics"),
        (r"arguments\|.*\|--$", "two dashes end the options, and nothing comes behind"),
        (r"arguments\|doctor ", "what is wrong with the folder is what it finds, and says"),
        (r"arguments\|schema .*\|--out", "a file may be called anything"),
        (r"arguments\|new .*\|--data", "a spec may name a folder that is not there yet"),
        (r"places\|.*\|called ", "a folder may be called anything"),
        (r"photos\|.*: called ", "a picture may be called anything"),
        (r"photos\|.*: (bytes|text|cut|declares \d+)$", "what can be read of it is a picture; among others, one that cannot be is told and left out"),
        (r"photos\|(caption \S+ photos|caption \S+ photos --json|data prepare .*)\|.*: (nothing|folder|pipe|device|loop|nowhere)$", "among others, one that cannot be read is told and left out"),
        (r"servers\|", "however it came, the archive is whole: its files are checked as data before they are moved into their place"),
        (r"captions\|.*\|captions\.json bytes", "letters of a caption or a name, which may be any"),
        (r"captions\|.*\|captions\.json \S+(caption|file_name|id|image_id) = ", "texts and numbers of images may be any; one that is not there is counted"),
        (r"captions\|.*\|captions\.json \S*annotations\[\] = \"gone", "there is one caption less; an image that has none is counted"),
        (r"captions\|.*\|features\.npy (bytes|text)", "the form has no checksum: features may be any finite numbers, and odd ones are warned of"),
        (r"spec\|train .*--data .*\|(data\.)?path ?= ?", "--data is used instead"),
        (r"courses\|gradcheck .*\|arguments: ", "it makes an argument, or one of other functions, and what is written is right with it"),
        (r"courses\|gradcheck .*\|submission: .* and ['\"](pass|print|return \(by \* x\)\.tolist)", "what is odd about it is no part of what it computes, which is right"),
        (r"courses\|grade .*\|(submission|locked): ", "what is wrong with a submission is told in its page, and costs its points alone"),
        (r"courses\|.*\|assignment: text", "still an assignment: what has changed is a comment, a title, or a value within its bounds"),
        (r"courses\|.*\|assignment: (title = \"|(functions\.\w+\.)?(seconds|value|gradient) = |packages = \[\]|only = \[\]|options = \{\}|loss = (true|false))", "a value that the key takes"),
        (r"courses\|.*\|assignment: (arguments\.\w+|by) = ", "it makes an argument, with which the solution is right"),
        (r"weights\|.*\|vectors ", "numbers of a vector may be any finite ones; a line that begins with no word of the data is another word's"),
        (r"weights\|import .*\|weights\.safetensors ((header|tensor) __metadata__|bytes)", "weights may be any finite numbers, and who wrote them is a note"),
        (r"weights\|.*\|(--force|--rename)", "there is nothing to replace, or to rename"),
        (r"(spec|weights)\|.*\|text", "still a spec: what has changed is a comment, a blank, or a value within its bounds"),
        (r"(spec|weights)\|.*\|\S* ?= ?([+-]?\d[\d_.]*(e\d+)?|true|false|\[\]|0b1\d+|\"(lstm|x|\.|~|cider-d|\*)|\{ use|\[\"aff|\[\{ use)", "a value that the key takes, within its bounds; or a later --set replaces it"),
    )
)  # fmt: skip


def reason_of(kind: str, call: str, label: str) -> str:
    """The sentences for an input that ended with 0; empty if anything that is wrong with it has none."""
    wrongs = label.split(AND)
    if "SHA256SUMS nothing" in wrongs:
        call += " (without digests)"
    found = [_reason(f"{kind}|{call}|{wrong}") for wrong in wrongs]
    return "; ".join(dict.fromkeys(found)) if all(found) else ""


def _reason(text: str) -> str:
    return next((reason for pattern, reason in _REASONS if pattern.match(text)), "")
