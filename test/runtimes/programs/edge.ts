/** workerd: the input is a request's body, the report its answer. */

import { classify } from "./lenet1.ts";

export default {
  async fetch(request: Request): Promise<Response> {
    return Response.json(await classify(await request.json(), { threads: 2 }));
  },
};
