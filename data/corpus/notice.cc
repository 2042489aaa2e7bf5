#include "data/corpus/notice.h"

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "data/corpus/corpus.h"

namespace frond::corpus {
namespace {

constexpr char kUnicodeLicense[] = R"(    UNICODE LICENSE V3

    COPYRIGHT AND PERMISSION NOTICE

    Copyright (c) 1991-2025 Unicode, Inc.

    NOTICE TO USER: Carefully read the following legal agreement. BY
    DOWNLOADING, INSTALLING, COPYING OR OTHERWISE USING DATA FILES, AND/OR
    SOFTWARE, YOU UNEQUIVOCALLY ACCEPT, AND AGREE TO BE BOUND BY, ALL OF THE
    TERMS AND CONDITIONS OF THIS AGREEMENT. IF YOU DO NOT AGREE, DO NOT
    DOWNLOAD, INSTALL, COPY, DISTRIBUTE OR USE THE DATA FILES OR SOFTWARE.

    Permission is hereby granted, free of charge, to any person obtaining a
    copy of data files and any associated documentation (the "Data Files") or
    software and any associated documentation (the "Software") to deal in the
    Data Files or Software without restriction, including without limitation
    the rights to use, copy, modify, merge, publish, distribute, and/or sell
    copies of the Data Files or Software, and to permit persons to whom the
    Data Files or Software are furnished to do so, provided that either (a)
    this copyright and permission notice appear with all copies of the Data
    Files or Software, or (b) this copyright and permission notice appear in
    associated Documentation.

    THE DATA FILES AND SOFTWARE ARE PROVIDED "AS IS", WITHOUT WARRANTY OF ANY
    KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
    MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT OF
    THIRD PARTY RIGHTS.

    IN NO EVENT SHALL THE COPYRIGHT HOLDER OR HOLDERS INCLUDED IN THIS NOTICE
    BE LIABLE FOR ANY CLAIM, OR ANY SPECIAL INDIRECT OR CONSEQUENTIAL DAMAGES,
    OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS,
    WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION,
    ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THE DATA
    FILES OR SOFTWARE.

    Except as contained in this notice, the name of a copyright holder shall
    not be used in advertising or otherwise to promote the sale, use or other
    dealings in these Data Files or Software without prior written
    authorization of the copyright holder.
)";

}  // namespace

std::string MakeNotice(const CorpusReport& report, uint64_t seed) {
  return absl::StrCat(
      "# Frond's built-in multilingual instruction corpus\n\n", report.rows.total(), " rows in ",
      report.rows_by_language.size(), " languages and ", report.rows_by_task.size(),
      " kinds of task, written by `frond corpus` (seed ", seed, ") from CLDR ", report.cldr_version,
      " as it comes with ICU ", report.icu_version, ".\n\n",
      "One JSON object per line: inputs, targets, language (CLDR code), script (ISO 15924),\n"
      "task_type, template_id, dataset_name, id. Every fact, with all its templates and in both\n"
      "directions, is in exactly one of train.jsonl (",
      report.rows.train, " rows),\nvalidation.jsonl (", report.rows.validation,
      ") and test.jsonl (", report.rows.test,
      ").\n\n## Licence\n\n"
      "The names, patterns and rules come from the Unicode Common Locale Data Repository. They "
      "are\n"
      "licensed under Unicode-3.0 (before 2023: Unicode-DFS-2016); keep this notice with "
      "copies.\n\n",
      kUnicodeLicense);
}

}  // namespace frond::corpus
