"use strict";

const { AssetTransfer } = require("./lib/asset-transfer");

exports.contracts = [AssetTransfer];
