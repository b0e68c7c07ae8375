"use strict";

const { Contract } = require("fabric-contract-api");

/** Assets with an owner. Every change is announced by an event that carries the asset. */
class AssetTransfer extends Contract {
  constructor() {
    super("AssetTransfer");
  }

  /** Throws when there is one of that ID. Event: AssetCreated. */
  async CreateAsset(ctx, id, owner, value) {
    if (await find(ctx, id)) throw new Error(`the asset ${id} already exists`);
    return put(ctx, { id, owner, value: wholeNumber(value) }, "AssetCreated");
  }

  /** Throws when there is none. */
  async ReadAsset(ctx, id) {
    return JSON.stringify(await get(ctx, id));
  }

  /** Gives an asset to somebody else; answers with who had it before. Event: AssetTransferred. */
  async TransferAsset(ctx, id, newOwner) {
    const asset = await get(ctx, id);
    await put(ctx, { ...asset, owner: newOwner }, "AssetTransferred");
    return asset.owner;
  }

  /** Event: AssetDeleted. */
  async DeleteAsset(ctx, id) {
    const asset = await get(ctx, id);
    await ctx.stub.deleteState(id);
    ctx.stub.setEvent("AssetDeleted", encode(asset));
  }

  /** Assets whose IDs are from `start` up to but not `end`, both of which may be empty, in order. */
  async ListAssets(ctx, start, end) {
    const assets = [];
    const found = await ctx.stub.getStateByRange(start, end);
    try {
      for (let next = await found.next(); !next.done; next = await found.next()) {
        assets.push(JSON.parse(Buffer.from(next.value.value).toString("utf8")));
      }
    } finally {
      await found.close();
    }
    return JSON.stringify(assets);
  }

  /** Keeps what only the members of a collection may know; it comes as transient data, under "appraisal". */
  async Appraise(ctx, collection, id) {
    const appraisal = ctx.stub.getTransient().get("appraisal");
    if (!appraisal) throw new Error('expected "appraisal" in the transient data');
    await ctx.stub.putPrivateData(collection, id, appraisal);
  }

  /** Throws when there is none. */
  async ReadAppraisal(ctx, collection, id) {
    const appraisal = await ctx.stub.getPrivateData(collection, id);
    if (appraisal.length === 0) throw new Error(`the asset ${id} has no appraisal in ${collection}`);
    return Buffer.from(appraisal).toString("utf8");
  }

  /** Who calls, as the chaincode sees it. */
  async WhoAmI(ctx) {
    return JSON.stringify({ mspId: ctx.clientIdentity.getMSPID(), id: ctx.clientIdentity.getID() });
  }
}

async function find(ctx, id) {
  const bytes = await ctx.stub.getState(id);
  return bytes.length > 0 ? JSON.parse(Buffer.from(bytes).toString("utf8")) : undefined;
}

async function get(ctx, id) {
  const asset = await find(ctx, id);
  if (!asset) throw new Error(`the asset ${id} does not exist`);
  return asset;
}

async function put(ctx, asset, event) {
  await ctx.stub.putState(asset.id, encode(asset));
  ctx.stub.setEvent(event, encode(asset));
  return JSON.stringify(asset);
}

/** The same bytes on every endorser: keys in a fixed order. */
function encode({ id, owner, value }) {
  return Buffer.from(JSON.stringify({ id, owner, value }));
}

function wholeNumber(text) {
  if (!/^-?\d+$/.test(text)) throw new Error(`expected a whole number as value, found ${text}`);
  return Number(text);
}

module.exports = { AssetTransfer };
